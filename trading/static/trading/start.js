// Goes to the page of the stock that was typed.
"use strict";

document.getElementById("look-up").addEventListener("submit", function (event) {
  event.preventDefault();
  window.location = "/stocks/" + encodeURIComponent(document.getElementById("look-up-name").value);
});
