"""Logging in to the browsable API with a token, and out again."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.generic import FormView
from knox.crypto import hash_token

from trading.accounts.authentication import SESSION_DIGEST
from trading.accounts.verifying import AccountsUnavailable, token_verifier
from trading.api.accepted import Accepted, refuse_unaccepted
from trading.api.errors import ApiError
from trading.api.exception_handler import answer_failure


class LoginForm(forms.Form):
    """One field. Its type lets a browser keep the token as it keeps passwords."""

    token = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "form-control"}), max_length=200
    )

    def clean_token(self) -> str:
        """Return the digest of the token, if it is good."""
        digest: str = hash_token(self.cleaned_data["token"])
        try:
            account = token_verifier().verify(digest)
        except AccountsUnavailable as error:
            raise forms.ValidationError("Nobody can say now whose token this is: try again.") from error
        if account is None:
            raise forms.ValidationError("This token is not known: it was never made, was revoked, or has expired.")
        return digest


class _OnlyWithAuthentication(View):
    """Not there while authentication is off. What a request says and is not looked at is refused, as everywhere."""

    accepted: ClassVar[Accepted] = Accepted()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.AUTHENTICATION:
            raise Http404
        if str(request.method).lower() in self.http_method_names:
            try:
                refuse_unaccepted(request, self.accepted)
            except ApiError as refusal:
                return answer_failure(refusal, request)
        return super().dispatch(request, *args, **kwargs)


@method_decorator(never_cache, name="dispatch")
class LoginView(_OnlyWithAuthentication, FormView):
    """A form for the token; afterwards the page that was asked for in `next`."""

    http_method_names = ["get", "head", "post"]
    form_class = LoginForm
    accepted = Accepted(parameters=frozenset({"next"}))
    template_name = "trading/login.html"

    def form_valid(self, form: LoginForm) -> HttpResponse:
        """Begin a session that is good as long as the token is."""
        session = self.request.session
        session.cycle_key()  # an id that somebody planted before is worth nothing
        session[SESSION_DIGEST] = form.cleaned_data["token"]
        rotate_token(self.request)
        return HttpResponseRedirect(self._next())

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """Return the context of the page."""
        return super().get_context_data(**context, name="Log in", next=self._next())

    def _next(self) -> str:
        wanted: str = self.request.POST.get("next") or self.request.GET.get("next") or "/"
        is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
        return wanted if is_ours else "/"


class LogoutView(_OnlyWithAuthentication):
    """Ends the session. POST only: a link from another site must not log anybody out."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Forget the session, and show the login page."""
        request.session.flush()
        return HttpResponseRedirect("/login")
