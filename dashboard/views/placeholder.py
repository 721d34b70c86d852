from django.http import HttpRequest, HttpResponse


def soon(_request: HttpRequest, **_kwargs: object) -> HttpResponse:
    return HttpResponse("ok")
