"""Whether the fast engine makes a template's documents as the reference does, and why not, under ``/api/v1``.

Where a template's name ends with ``/certificate``, the rule of `api.report_configs` holds: if there is a template of
the name before that, its certificate is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from api import documents, gateway, links, report_configs
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import certificates as operations
from shared import catalogue, certificates, templates
from shared.exceptions import NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from shared.models import Certificate, Template

blueprint = Blueprint("certificates", __name__, url_prefix="/api/v1")


@blueprint.get("/report-config/<path:key>/certificate")
@described(operations.READ)
def read(key: str) -> Response:
    """Show the certificate of a template's newest version."""
    with gateway.current().database.reading() as session:
        try:
            template = templates.find_by_any(session, key)
        except NotFoundError:
            template = None
        found = None if template is None else certificates.of_version(session, template.version)
    if template is None:
        return report_configs.read(f"{key}/certificate")
    if found is None:
        raise NotFoundError(
            f"There is no certificate of template {template.name!r}, whose recipe is {template.version.recipe!r}: "
            f"POST to the same address to have one made, or save it with recipe {catalogue.CERTIFIED_PDF!r}"
        )
    return success(_shown(template, found))


@blueprint.post("/report-config/<path:key>/certificate")
@described(operations.REMAKE)
def remake(key: str) -> Response:
    """Make the certificate of a template's newest version, or make it anew."""
    farm = gateway.current()
    with farm.database.writing() as session:
        template = templates.find_by_any(session, key)
        if not catalogue.makes_pdf(template.version.recipe):
            text = (
                f"The template's recipe is {template.version.recipe!r}, which makes no PDF: there is nothing to compare"
            )
            raise UnprocessableError([("recipe", text)])
        errand = certificates.anew(session, template.version, trace_id=g.trace_id)
        found = certificates.of_version(session, template.version)
    if found is None:
        raise NotFoundError("The template was removed at this moment")
    if errand is not None:
        farm.ring(errand)
    answer = success(_shown(template, found), status=202)
    answer.headers["Location"] = links.absolute("certificates.read", key=template.id)
    return answer


@blueprint.get("/report-config/<path:key>/certificate/page/<int:page>.png")
@described(operations.PICTURE)
def picture(key: str, page: int) -> Response:
    """Show what the engines make otherwise on one page."""
    farm = gateway.current()
    with farm.database.reading() as session:
        template = templates.find_by_any(session, key)
        found = certificates.picture(certificates.of_version(session, template.version), page=page)
    stored = documents.StoredFile(
        key=found.key,
        media_type="image/png",
        size=found.size,
        sha256=found.sha256,
        filename=f"page-{page}.png",
    )
    return documents.send(farm.storage, stored, attachment=False)


def _shown(template: Template, found: Certificate) -> dict[str, Any]:
    result = found.result or {}
    pictures = [
        {
            "page": one["page"],
            "changed": one["changed"],
            "overlay": links.absolute("certificates.picture", key=template.id, page=one["page"]),
        }
        for one in result.get("pictures", ())
    ]
    is_pending = found.verdict == certificates.Verdict.PENDING
    return {
        "id": template.id,
        "version": template.version.number,
        "verdict": found.verdict,
        # Those of the verdict before are nobody's while it is looked at anew.
        "reasons": [] if is_pending else result.get("reasons", []),
        "pictures": [] if is_pending else pictures,
        "notes": [] if is_pending else result.get("notes", []),
        "environment": found.environment,
        "issuedAt": None if found.issued_at is None else moment(found.issued_at),
        "samples": found.samples,
    }
