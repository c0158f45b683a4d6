// The panels: what is shown when the server does not answer, the line that says how the system is, and rest while
// nobody looks. htmx does the asking, and refresh.js says when.
"use strict";

const summary = document.getElementById("summary");

function tell(panel, problem) {
  const line = panel.querySelector(".problem");
  const at = panel.dataset.freshAt;
  const text = problem && at ? `${problem} Shown is how it was at ${at}.` : problem;
  if (line.textContent !== text) {
    line.textContent = text;
  }
}

function problemOf(xhr) {
  if (xhr.status === 401) {
    return "You are logged out: load the page again to log in.";
  }
  try {
    return JSON.parse(xhr.responseText).error.message.replace(/\.?$/, ".");
  } catch {
    return "The frontend does not answer.";
  }
}

// A text that is set anew is read out anew, so it is set only when it has changed.
function showSummary() {
  const now = document.getElementById("summary-now");
  const text = now.textContent.replace(/\s+/g, " ").trim();
  if (summary.textContent !== text) {
    summary.textContent = text;
    summary.dataset.health = now.dataset.health;
  }
}

document.addEventListener("htmx:beforeRequest", function (event) {
  if (document.hidden) {
    event.preventDefault();
  }
});

document.addEventListener("htmx:afterRequest", function (event) {
  if (event.detail.successful) {
    event.target.dataset.freshAt = new Date().toISOString().slice(11, 19) + " UTC";
    tell(event.target, "");
    // Also when the panel is as before: the line may have told of a frontend that did not answer.
    if (event.target.id === "replicas") {
      showSummary();
    }
  }
});

for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, function (event) {
    tell(event.target, problemOf(event.detail.xhr));
    if (event.target.id === "replicas") {
      summary.textContent = "Nobody knows how the replicas are.";
      summary.dataset.health = "down";
    }
  });
}
