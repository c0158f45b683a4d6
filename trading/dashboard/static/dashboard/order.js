// Places orders as every client should: the key is made and kept before the order is sent, and an order whose outcome
// is unknown is sent again with that key and nothing else, also after the page was loaded anew.
"use strict";

const ANSWER_WITHIN_MS = 12000; // the server answers an order within 9 s
const KEPT_AS = "bourse.unsettled";
// After an unknown outcome, only these say what became of the order.
const SETTLING = [200, 201, 404, 409, 422];

const form = document.getElementById("order");
const outcome = document.getElementById("outcome");
const unsettled = document.getElementById("unsettled");
let isSending = false;

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function keep(order) {
  sessionStorage.setItem(KEPT_AS, JSON.stringify(order));
}

function forget() {
  sessionStorage.removeItem(KEPT_AS);
}

function kept() {
  const order = JSON.parse(sessionStorage.getItem(KEPT_AS) || "null");
  return order && order.account === form.dataset.account ? order : null;
}

function words(order) {
  return `${order.type} ${order.quantity} ${order.name}`;
}

function show(kind, heading, text, link) {
  const strong = document.createElement("strong");
  strong.textContent = heading;
  outcome.replaceChildren(strong, " " + text);
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link;
    anchor.textContent = "Order " + link.split("/").pop();
    outcome.append(" ", anchor);
  }
  outcome.className = kind;
}

function showProblems(details) {
  for (const name of ["name", "quantity"]) {
    const found = details.find((detail) => detail.field === name);
    const field = form.elements[name];
    field.setAttribute("aria-invalid", String(Boolean(found)));
    document.getElementById(field.id + "-problem").textContent = (found && found.message) || "";
  }
}

async function post(order) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": order.key };
  const token = form.elements.csrfmiddlewaretoken;
  if (token) {
    headers["X-CSRFToken"] = token.value;
  }
  const response = await fetch(form.action, {
    method: "POST",
    headers,
    body: JSON.stringify({ name: order.name, type: order.type, quantity: order.quantity }),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  return { status: response.status, body: await response.json(), isReplayed: response.headers.has("Idempotency-Replayed") };
}

async function send(order) {
  if (isSending) {
    return;
  }
  try {
    keep(order);
  } catch {
    show("refused", "Not sent:", "this browser does not let the page keep the order's key.");
    return;
  }
  isSending = true;
  showProblems([]);
  show("sending", "Sending", words(order) + " …");
  try {
    settle(order, await post(order));
  } catch {
    showUnknown(order, "There was no answer.");
  } finally {
    isSending = false;
  }
}

function settle(order, answer) {
  const error = answer.body.error;
  if (error && (error.outcome !== "not_executed" || (order.isUnknown && !SETTLING.includes(answer.status)))) {
    showUnknown(order, error.message);
    return;
  }
  forget();
  lock(false);
  if (error) {
    show("refused", "Refused, not executed:", error.message);
    showProblems(error.details);
  } else {
    const filled = answer.body.data;
    const when = answer.isReplayed ? ", executed already." : ".";
    show("filled", "Filled:", `${words(filled)} at ${filled.price_decimal}${when}`, "/orders/" + filled.number);
  }
  for (const id of ["stocks", "orders"]) {
    htmx.trigger("#" + id, "refresh");
  }
}

function showUnknown(order, why) {
  keep({ ...order, isUnknown: true });
  lock(true);
  show("unknown", "Outcome unknown:", `${words(order)}. ${why} It may have been executed, or not.`);
  document.getElementById("order-look").href = "/orders?client_order_id=" + order.key;
  document.getElementById("order-again").focus();
}

// One order at a time: while the outcome of one is unknown, it is sent again or left, and no other is made.
function lock(isLocked) {
  for (const field of form.elements) {
    field.disabled = isLocked;
  }
  unsettled.hidden = !isLocked;
}

form.addEventListener("submit", function (event) {
  event.preventDefault();
  send({
    account: form.dataset.account,
    key: newKey(),
    name: form.elements.name.value,
    type: form.elements.type.value,
    quantity: Number(form.elements.quantity.value),
  });
});

document.getElementById("order-again").addEventListener("click", () => send(kept()));

document.getElementById("order-leave").addEventListener("click", function () {
  const order = kept();
  forget();
  lock(false);
  show("refused", "Left:", `${words(order)}. It may have been executed, or not; its key is ${order.key}.`);
  form.elements.name.focus();
});

document.addEventListener("click", function (event) {
  const button = event.target.closest("[data-trade]");
  if (button && !kept()) {
    form.elements.name.value = button.dataset.trade;
    form.elements.quantity.focus();
  }
});

if (kept()) {
  showUnknown(kept(), "The page was loaded anew before an answer came.");
}
