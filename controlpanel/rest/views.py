"""The class of all views: one guard, Docker's answers, and no thread for whoever waits.

A handler that is a plain function is for the database alone: it runs in a thread as a whole, authentication included,
which is one change of thread for a request. A coroutine runs on the event loop and awaits workers, shims and streams;
it asks the database through the scope's ``find_…`` or ``in_thread``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.response import Response
from rest_framework.views import APIView

from controlpanel.access import policy
from controlpanel.access.permissions import ActionPermission
from controlpanel.access.scope import Scope
from controlpanel.rest import bodies, errors, versions
from controlpanel.rest.renderers import DockerJSONRenderer
from controlpanel.server.scope import PEER
from engine.containers.config.decode import Fields, read_object
from engine.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rest_framework.request import Request

    from controlpanel.rest.openapi import Operation

# For a coroutine that needs more of the database than one look-up.
in_thread = sync_to_async


class EngineView(APIView):
    """A view that names, for each of its methods, the action that the caller must be allowed to do.

    `operations` says of each method what the API's document tells about it.
    """

    actions: ClassVar[dict[str, str]] = {}
    operations: ClassVar[Mapping[str, Operation]] = {}
    permission_classes = [ActionPermission]
    view_is_async = True
    scope: Scope

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for action in cls.actions.values():
            policy.known(action)

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """REST framework's sequence, with the handler where it belongs."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        handler = getattr(self, (request.method or "").lower(), self.http_method_not_allowed)
        if iscoroutinefunction(handler):
            return await self._on_the_loop(handler)
        return await in_thread(self._in_a_thread)(handler)

    async def _on_the_loop(self, handler: Callable[..., Any]) -> HttpResponseBase:
        try:
            # Who is at the other end of a socket the kernel has told; a token or a session is in the database.
            begin = self.initial if PEER in self.request.META else in_thread(self.initial)
            if (waiting := begin(self.request)) is not None:
                await waiting
            response = await handler(self.request, *self.args, **self.kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        return self._finish(response)

    def _in_a_thread(self, handler: Callable[..., Any]) -> HttpResponseBase:
        try:
            self.initial(self.request)
            response = handler(self.request, *self.args, **self.kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        return self._finish(response)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate and authorise, before anything of the request is looked at.

        Content negotiation and throttling are left out: Docker ignores ``Accept``, and an answer is always JSON.
        """
        if request.method != "OPTIONS":
            self.scope = Scope.of(cast("policy.Principal | None", request.user))
            self.check_permissions(request)

    def _finish(self, response: Any) -> HttpResponseBase:
        """Render at once: a response that is left to Django to render costs a change of thread more."""
        self.request.accepted_renderer = DockerJSONRenderer()
        self.request.accepted_media_type = DockerJSONRenderer.media_type
        answer: HttpResponseBase = self.finalize_response(self.request, response)
        return _rendered(answer) if isinstance(answer, Response) else answer

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: REST framework's ``Allow`` and ``Vary`` are not Docker's."""
        return {}

    async def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """Docker answers OPTIONS on anything, to anybody, with nothing."""
        return empty()

    def body(self, *, required: bool = True) -> Any:
        """The JSON body, by Docker's rules about content types and empty bodies."""
        return bodies.read(self.request._request, required=required)

    def read(self, fields: Fields, name: str) -> dict[str, Any]:
        """The JSON body as a complete object of ``fields``; ``name`` is the Go type's, for error messages."""
        value = self.body()
        answer: dict[str, Any] = read_object(fields, name)({} if value is None else value, name)
        return answer

    @property
    def action(self) -> str:
        """What this request does, for the scope."""
        return self.actions[self.request.method or ""]

    @property
    def version(self) -> versions.Version:
        return versions.of(self.request._request)


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
