"""What the document says to somebody who has just arrived, and the refusals that any request may meet."""

from __future__ import annotations

TITLE = "Pressroom"

INTRODUCTION = """\
Pressroom turns templates and data into documents: at once, or later as stored reports, on as many machines as you
like.

**In a hurry?** Send the first example of `POST /api/report`: a PDF comes back.

**Tokens.** A farm that has tokens wants one with every request, as `Authorization: Bearer <token>` or as the password
of Basic. Operations that say so are open to everybody. Without tokens a farm answers only on its own
machine, unless it was told otherwise.

**Three families.** Addresses under `/api` and `/reports` are as jsreport has them, and its clients work unchanged.
Those under `/odata` speak [OData 4.0](https://www.odata.org/). Those under `/api/v1` wrap every answer in an
envelope. The families share everything but the shape of their answers: a template made in one is found in the others.

**When something is wrong**, the answer says what was wrong, what was expected and what to do; a field or an option
that is not known is refused with the nearest known name, never passed over. 4xx is yours to mend; 429 and
503 with `Retry-After` are worth another try; 500 is the farm's own fault. Errors are JSON, or a line of plain text for
a client that prefers it (`Accept: text/plain`). An address that does not exist is 404, a method that an address does
not know is 405; both are shaped like the other errors of their family.

**Traces.** Every answer has an `X-Trace-Id`. Send your own, and you find it in every log line, in the database, and
with what was stored.

**Conventions.** Names are camelCase. Times are UTC, as in `2026-03-14T09:26:53.589Z`. Sizes are bytes. A duration is
a text such as `30s`, `5m`, `2h` or `1d`, or a number of milliseconds. Every address that knows `GET` knows `HEAD`,
and every address knows `OPTIONS`; they are listed only where they tell something."""

COMMON_ERRORS = {
    400: "The request is not understood. The message names everything that is wrong with it.",
    401: "The farm wants a token, and this request has none that it knows.",
    413: "The body is larger than the farm takes; the message names the limit.",
    415: "The body does not say that it is of a kind which is understood here.",
}
