"""Documents made of several stored templates."""

from __future__ import annotations

import uuid

import pytest
from farms import eventually
from sqlalchemy import select

from shared.database import Database
from shared.models import Render


@pytest.fixture
def shelf(farm):
    """Stores templates under names of this test alone, and renders them."""
    return Shelf(farm, uuid.uuid4().hex[:8])


class Shelf:
    def __init__(self, farm, mark):
        self.farm = farm
        self.mark = mark
        self.ids = {}

    def name(self, name):
        return f"{name} {self.mark}"

    def content(self, content):
        """In a template, «x» stands for the name that x has in this test."""
        return content.replace("«", "'").replace("»", f" {self.mark}'")

    def save(self, name, content, **changes):
        answer = self.farm.post(
            "/odata/templates",
            {"name": self.name(name), "content": self.content(content), "recipe": "html"} | changes,
        )
        assert answer.status_code == 201, answer.text
        self.ids[name] = answer.json()["_id"]
        return answer.json()

    def change(self, name, content):
        return self.farm.request(
            "PATCH", f"/api/v1/report-config/{self.ids[name]}", json={"content": self.content(content)}
        )

    def render(self, name, data=None, **template):
        return self.farm.report({"name": self.name(name), **template}, data or {})


def test_a_template_includes_another(shelf):
    shelf.save("Kopf / ü", "<h1>{{ title }}</h1>")
    shelf.save("page", "{% include «Kopf / ü» %}<p>x")

    assert shelf.render("page", {"title": "<Ü>"}).text == "<h1>&lt;Ü&gt;</h1><p>x"


def test_a_layout_is_filled_by_the_template_that_extends_it(shelf):
    shelf.save("layout", "<title>{% block title %}none{% endblock %}</title>{% block body %}{% endblock %}")
    shelf.save("letter", "{% extends «layout» %}{% block title %}{{ super() }}!{% endblock %}")
    shelf.save("bill", "{% extends «letter» %}{% block body %}<p>{{ total | money('EUR') }}{% endblock %}")

    assert shelf.render("letter").text == "<title>none!</title>"
    assert shelf.render("bill", {"total": 2.5}).text == "<title>none!</title><p>€2.50"


def test_macros_are_imported(shelf):
    shelf.save("macros", "{% macro price(x) %}<b>{{ x | money('EUR') }}</b>{% endmacro %}")
    shelf.save("page", "{% from «macros» import price %}{{ price(1) }}{% import «macros» as m %}{{ m.price(2) }}")

    assert shelf.render("page").text == "<b>€1.00</b><b>€2.00</b>"


def test_the_document_is_escaped_as_its_recipe_wants_it_in_every_part(shelf):
    shelf.save("part", "{{ x }}")
    shelf.save("page", "{% include «part» %}")

    assert shelf.render("page", {"x": "<"}).text == "&lt;"
    assert shelf.render("page", {"x": "<"}, recipe="text").text == "<"


def test_an_inline_template_includes_stored_ones(shelf):
    shelf.save("part", "part")

    assert shelf.farm.report({"content": shelf.content("<p>{% include «part» %}"), "recipe": "html"}).text == "<p>part"


def test_the_newest_version_is_included_and_what_was_used_is_recorded(shelf):
    shelf.save("inner", "1")
    shelf.save("outer", "{% include «inner» %}{% include ['nope', «inner»] %}{% include 'nope' ignore missing %}")
    shelf.save("page", "{% include «outer» %}")
    assert shelf.render("page").text == "11"

    shelf.change("inner", "2")
    answer = shelf.render("page")

    assert answer.text == "22"
    database = Database(f"sqlite:///{shelf.farm.home / 'pressroom.db'}")
    with database.reading() as session:
        used = session.scalars(select(Render.used).where(Render.trace_id == answer.headers["X-Trace-Id"])).one()
    database.close()
    assert used == {"templates": {shelf.name("outer"): 1, shelf.name("inner"): 2}}


def test_a_pinned_version_includes_the_newest_of_the_others(shelf):
    shelf.save("part", "1")
    shelf.save("page", "old {% include «part» %}")
    shelf.change("page", "new {% include «part» %}")
    shelf.change("part", "2")

    assert shelf.render("page", version=1).text == "old 2"
    assert shelf.render("page").text == "new 2"


def failure(answer):
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["cause"] == "template"
    return body["line"], body["message"]


def test_a_missing_template_fails_the_render_with_its_line(shelf):
    shelf.save("page", "a\n{% include «nope» %}")
    shelf.save("around", "\n\n{% include «page» %}")

    named = f'there is no template named "{shelf.name("nope")}"'
    assert failure(shelf.render("page")) == (2, f"line 2: {named}")
    assert failure(shelf.render("around")) == (3, f'line 2 of "{shelf.name("page")}": {named}')


def test_an_error_in_an_included_template_names_both_places(shelf):
    shelf.save("header", "\n\n{{ 1 / 0 }}")
    shelf.save("draft", "\n{% if %}")
    shelf.save("page", "\n{% include «header» %}")
    shelf.save("other", "\n\n\n{% include «draft» %}")

    assert failure(shelf.render("page")) == (2, f'line 3 of "{shelf.name("header")}": division by zero')
    line, message = failure(shelf.render("other"))
    assert line == 4
    assert message.startswith(f'line 2 of "{shelf.name("draft")}": ')


def test_a_template_for_another_engine_cannot_be_included(shelf):
    shelf.save("raw", "{{ x }}", engine="none")
    saved = shelf.save("page", "\n{% include «raw» %}")

    assert "'none'" in saved["@pressroom.warnings"][0]
    line, message = failure(shelf.render("page"))
    assert (line, "'none'" in message) == (2, True)


def test_a_circle_that_a_later_save_would_close_is_refused_at_either_face(shelf):
    shelf.save("a", "{% include «b» %}")
    shelf.save("b", "{% include «c» %}")
    saved = shelf.save("c", "end")

    at_one_face = shelf.change("c", "\n{% extends «a» %}")
    at_the_other = shelf.farm.request(
        "PATCH", f"/odata/templates('{saved['_id']}')", json={"content": shelf.content("{% import «a» as x %}")}
    )

    way = " -> ".join(f'"{shelf.name(name)}"' for name in "cabc")
    assert (at_one_face.status_code, at_the_other.status_code) == (400, 400)
    assert at_one_face.json()["errors"][0].startswith(f"line 2: the template would include itself: {way}")
    assert at_the_other.json()["error"]["target"] == "content"
    assert shelf.render("a").text == "end"


def test_a_circle_through_names_in_the_data_fails_the_render(shelf):
    shelf.save("a", "{% include next %}")
    shelf.save("page", "\n{% include «a» %}")

    line, message = failure(shelf.render("page", {"next": shelf.name("a")}))

    assert line == 2
    assert f'"{shelf.name("a")}" -> "{shelf.name("a")}"' in message


@pytest.mark.parametrize("name", [r"\0", r"\ud800", "x" * 5000, r"\n", "../../etc/passwd"])
def test_a_name_that_no_template_can_have_is_not_found(shelf, name):
    shelf.save("page", f'{{% include "{name}" %}}')

    assert "there is no template named" in failure(shelf.render("page"))[1]


def test_includes_that_multiply_end_by_the_time_limit(shelf):
    shelf.save("t0", "{% for i in range(1000) %}.{% endfor %}")
    for n in range(1, 9):
        shelf.save(f"t{n}", f"{{% include «t{n - 1}» %}}" * 10)

    answer = shelf.farm.report({"name": shelf.name("t8")}, {}, timeout=500)

    assert answer.json()["cause"] == "timeout"
    # The child that was interrupted does the next render.
    assert eventually(lambda: shelf.render("t0").status_code == 200)
