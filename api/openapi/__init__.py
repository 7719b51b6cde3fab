"""The farm's own description: an OpenAPI 3.1 document of every route, and a page for people, made from it.

A route says what it is with one line, `described`, which names an `Operation` of its family (`operations`) and the
shape of its body: the very one that `api.bodies.read_body` checks requests with. `document` walks the routes and writes
the document; `page` writes the page. Both work at the first request, not before: an idle farm holds neither.
"""

from api.openapi.descriptions import Answer, Operation, Parameter, described

__all__ = ["Answer", "Operation", "Parameter", "described"]
