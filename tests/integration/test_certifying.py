"""Templates are certified where both engines make the same of them, and refused with a reason where they do not."""

from __future__ import annotations

import io

import certifying
import pytest
from certifiable import CERTIFIABLE
from PIL import Image


@pytest.fixture
def database_url(tmp_path):
    # The documents are what matters here.
    return f"sqlite:///{tmp_path / 'pressroom.db'}"


@pytest.fixture
def child(database, filesystem_storage, settings):
    return certifying.Child(database, filesystem_storage, settings)


@pytest.mark.parametrize("name", CERTIFIABLE)
def test_a_template_gets_the_verdict_that_its_documents_deserve(child, name):
    template = CERTIFIABLE[name]
    subject = child.save(template.content, template.data)
    assert child.row(subject).verdict == "pending"

    child.answer()

    made = child.row(subject)
    assert (made.verdict, made.state) == (template.verdict, "succeeded"), made.result
    assert made.environment == certifying.ENVIRONMENT
    assert any(template.because in reason for reason in child.reasons(subject)) == (template.verdict == "refused")
    for page, key in made.overlays.items():
        shown = next(one for one in made.result["pictures"] if one["page"] == int(page))
        content = child.storage.get(key)
        assert (shown["overlay"]["size"], shown["changed"] > 0) == (len(content), True)
        assert Image.open(io.BytesIO(content)).format == "PNG"
    assert sorted(child.storage.keys("certificates/")) == sorted(made.overlays.values())
