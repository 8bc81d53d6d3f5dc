"""What all views of the Engine API share: authorisation by declared action, Docker's answers, Docker's 404."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.response import Response
from rest_framework.views import APIView

from controlpanel.access import errors, policy
from controlpanel.api import parsers, versions
from controlpanel.api.renderers import DockerJSONRenderer
from engine.containers.config.decode import Fields, read_object
from engine.errors import Unsupported

if TYPE_CHECKING:
    from rest_framework.request import Request


class EngineView(APIView):
    """A view that names, for each of its methods, the action that the caller must be allowed to do."""

    actions: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for action in cls.actions.values():
            policy.known(action)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate and authorise, before anything of the request is looked at.

        Content negotiation and throttling are left out: Docker ignores ``Accept``, and an answer is always JSON.
        """
        request.accepted_renderer = DockerJSONRenderer()
        request.accepted_media_type = DockerJSONRenderer.media_type
        if request.method == "OPTIONS":
            return
        action = self.actions.get(request.method or "")
        if action is None:
            raise MethodNotAllowed(request.method or "")
        policy.authorize(cast("policy.Principal | None", request.user), action)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Render at once: a response that is left to Django to render costs a change of thread more."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        return _rendered(answer) if isinstance(answer, Response) else answer

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: REST framework's ``Allow`` and ``Vary`` are not Docker's."""
        return {}

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Docker answers OPTIONS on anything, to anybody, with nothing."""
        return empty()

    def body(self, *, required: bool = True) -> Any:
        """The JSON body, by Docker's rules about content types and empty bodies."""
        return parsers.body(self.request._request, required=required)

    def read(self, fields: Fields, name: str) -> dict[str, Any]:
        """The JSON body as a complete object of ``fields``; ``name`` is the Go type's, for error messages."""
        value = self.body()
        answer: dict[str, Any] = read_object(fields, name)({} if value is None else value, name)
        return answer

    @property
    def version(self) -> versions.Version:
        return versions.of(self.request._request)

    @property
    def node(self) -> str:
        name: str = settings.MUELLE_NODE
        return name


def _rendered(answer: Response) -> HttpResponse:
    response = HttpResponse(answer.rendered_content, status=answer.status_code)
    # Rendering has set the content type, or has taken it away where there is no content.
    response.headers = answer.headers
    return response


def empty(status: int = 200) -> Response:
    return Response(None, status=status)


class NotBuiltView(EngineView):
    """A path that the API names and Muelle does not build: 501 with a sentence that says so."""

    message: ClassVar[str] = ""
    error: ClassVar[type[Exception]] = Unsupported

    def refuse(self, request: Request, **kwargs: str) -> HttpResponseBase:
        raise self.error(self.message)

    get = post = put = delete = refuse


def not_built(message: str, error: type[Exception] = Unsupported, **actions: str) -> Any:
    """A view that refuses each method in ``actions`` (``GET="images.view"``) with ``message``."""
    return type("NotBuiltView", (NotBuiltView,), {"message": message, "error": error, "actions": actions}).as_view()  # type: ignore[attr-defined]


@csrf_exempt
def page_not_found(request: HttpRequest) -> HttpResponse:
    """Every other path. Docker answers OPTIONS on anything with 200."""
    if request.method == "OPTIONS":
        return HttpResponse(b"", content_type="application/json")
    return errors.respond(404, errors.PAGE_NOT_FOUND)
