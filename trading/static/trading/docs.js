// Shows the OpenAPI document, dark where the system is. Who is logged in sends the CSRF token along with what is tried out.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");

function followSystem() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

dark.addEventListener("change", followSystem);
followSystem();

function csrfToken() {
  const match = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  return match ? match[1] : "";
}

SwaggerUIBundle({
  url: "/schema",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor: function (request) {
    const token = csrfToken();
    if (token) {
      request.headers["X-CSRFToken"] = token;
    }
    return request;
  },
});
