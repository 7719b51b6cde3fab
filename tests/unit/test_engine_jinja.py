"""The jinja engine: what templates may do, what they may not, and what their authors are told."""

from __future__ import annotations

import signal

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from shared.exceptions import TemplateError
from workers.engines.jinja import LONGEST_KEPT, MOST_TEMPLATES_KEPT, JinjaEngine
from workers.engines.none import NoneEngine


@pytest.fixture(scope="module")
def engine():
    return JinjaEngine()


def expand(engine, content, *, markup=True, locale="en_IE", **data):
    return engine.expand(content, data, markup=markup, locale=locale)


def refused(engine, content, **data):
    with pytest.raises(TemplateError) as caught:
        expand(engine, content, **data)
    return caught.value


def test_the_none_engine_returns_the_content_unchanged():
    assert NoneEngine().expand("{{ x }}\n", {"x": 1}, markup=True, locale="en") == "{{ x }}\n"


def test_values_are_escaped_in_markup_and_only_there(engine):
    assert expand(engine, "{{ x }}", x="<b> & \"'") == "&lt;b&gt; &amp; &#34;&#39;"
    assert expand(engine, "{{ x }}", x="<b> & \"'", markup=False) == "<b> & \"'"


def test_the_same_template_is_escaped_anew_when_it_is_used_for_another_kind_of_document(engine):
    for _ in range(2):
        assert expand(engine, "<p>{{ x }}", x="<", markup=True) == "<p>&lt;"
        assert expand(engine, "<p>{{ x }}", x="<", markup=False) == "<p><"


def test_a_key_of_the_data_wins_over_a_method_of_its_python_type(engine):
    assert expand(engine, "{% for i in order.items %}{{ i }};{% endfor %}", order={"items": [1, 2]}) == "1;2;"
    assert expand(engine, "{% for k, v in order.items() %}{{ k }}{% endfor %}", order={"a": 1}) == "a"


def test_a_key_that_is_no_identifier_is_unreachable_and_harmless(engine):
    assert (
        engine.expand("{{ 1 | money('EUR') }}", {"(locale)": "de_DE", "a b": 1}, markup=True, locale="en_IE") == "€1.00"
    )


def test_the_last_line_break_stays(engine):
    assert expand(engine, "a\n", markup=False) == "a\n"


def test_nothing_of_one_document_reaches_the_next(engine):
    counting = "{% set ns = namespace(n=n) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}"
    assert [expand(engine, counting, n=1) for _ in range(2)] == ["2", "2"]
    assert expand(engine, "{{ n }}") == ""


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("a\n{% for %}", 2, "Expected an expression"),
        ("a\n\n{{ x", 3, "unexpected end of template"),
        ("{{ 1 | nosuch }}", 1, "No filter named 'nosuch'"),
        ("{% if 1 %}\n", 1, "Unexpected end of template"),
        ("a\n{{ nope.x }}", 2, "'nope' is undefined"),
        ("a\n\n{{ order.x.y }}", 3, "'dict object' has no attribute 'x'"),
        ("\n{{ 1 / 0 }}", 2, "division by zero"),
        ("\n{{ 'a' + 1 }}", 2, "can only concatenate str"),
        ("{% macro m() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ m() }}", 2, "division by zero"),
        ("{% macro m(n) %}{{ m(n) }}{% endmacro %}\n{{ m(1) }}", 1, "nests too deeply"),
        ("{{ 1 | money }}", 1, "'currency'"),
        ("\n{% include 'other' %}", 2, "the template 'other' cannot be loaded"),
        ("{% extends '/etc/passwd' %}", 1, "the template '/etc/passwd' cannot be loaded"),
        ("{% import 'other' as o %}", 1, "the template 'other' cannot be loaded"),
    ],
)
def test_an_error_names_the_line_and_what_was_wrong_there(engine, content, line, said):
    error = refused(engine, content, order={})
    assert error.line == line
    assert error.message.startswith(f"line {line}: ")
    assert said in error.message


@pytest.mark.parametrize(
    "content",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ a" + ".b" * 20_000 + " }}",
        "{{ 1" + "+1" * 20_000 + " }}",
        "{% if 1 %}" * 200 + "{% endif %}" * 200,
        "{% for i in [1] %}" * 60 + "{% endfor %}" * 60,
        "{{ " + "9" * 5000 + " }}",
    ],
    ids=["parentheses", "attributes", "sum", "ifs", "loops", "digits"],
)
def test_a_template_that_python_cannot_compile_is_an_error_of_the_template(engine, content):
    assert refused(engine, content).message


def test_messages_show_no_internals_and_stay_short(engine):
    for content in (
        "{{ ns() }}",
        "{{ {}[0].x }}",
        "{{ ('x' * 5000).y.z }}",
        "{{ order['x' * 5000].y }}",
        "{{ 9" + "9" * 5000 + " }}",
    ):
        message = refused(engine, content, ns="x", order={}).message
        assert "Traceback" not in message
        assert "0x" not in message
        assert "sys." not in message
        assert len(message) < 600


@pytest.mark.parametrize(
    "content",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ '' | attr('_' ~ '_class__') }}",
        "{{ [''] | map(attribute='__class__') | list }}",
        "{{ [''] | map('attr', '__class__') | list }}",
        "{{ [''] | sort(attribute='__class__') }}",
        "{{ [''] | groupby('__class__') }}",
        "{{ '{0.__class__}'.format('') }}",
        "{% set f = '{0.__class__}'.format %}{{ f('') }}",
        "{{ '{x.__class__}'.format_map({'x': ''}) }}",
        "{{ ('{0.__class__}' | safe).format('') }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ joiner.__init__.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ range.__globals__ }}",
        "{{ ''.join.__self__ }}",
        "{% macro m() %}{% endmacro %}{{ m.__class__ }}",
        "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{{ (items | map('upper')).gi_frame }}",
        "{{ lipsum.__globals__ }}",
    ],
)
def test_the_sandbox_cannot_be_left(engine, content):
    message = refused(engine, content, items=["a"]).message
    assert "may not use" in message or "'lipsum' is undefined" in message


@pytest.mark.parametrize(
    "content", ["{{ rows.append(1) }}", "{{ rows.clear() }}", "{{ order.update({}) }}", "{{ order.pop('a') }}"]
)
def test_a_template_cannot_change_the_data(engine, content):
    data = {"rows": [1], "order": {"a": 1}}
    with pytest.raises(TemplateError, match="may not use"):
        engine.expand(content, data, markup=True, locale="en")
    assert data == {"rows": [1], "order": {"a": 1}}


@pytest.mark.parametrize(
    "content",
    [
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ [1] * 10**9 }}",
        "{{ 10 ** (10 ** 9) }}",
        "{{ 10**3000 * 10**3000 }}",
        "{{ range(10**9) | list }}",
    ],
)
def test_one_operation_cannot_take_all_memory_or_time(engine, content):
    assert "too l" in refused(engine, content).message or "MAX_RANGE" in refused(engine, content).message


def test_arithmetic_of_documents_works(engine):
    assert expand(
        engine, "{{ qty * price }} {{ 2 ** 10 }} {{ '-' * 3 }} {{ 2 ** -1 }} {{ 2 ** 0.5 > 1 }}", qty=3, price=1.5
    ) == ("4.5 1024 --- 0.5 True")


def test_the_soft_time_limit_passes_through(engine):
    def expire(*_):
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            expand(engine, "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_memory_limit_passes_through(engine):
    # More characters than can exist: Python refuses before it asks the system.
    with pytest.raises(MemoryError):
        expand(engine, "{{ 'x'.ljust(width) }}", width=2**62)


def test_compiled_templates_are_kept_and_their_number_is_bounded():
    engine = JinjaEngine()
    for n in range(MOST_TEMPLATES_KEPT + 10):
        assert expand(engine, f"{n}{{{{ x }}}}", x="!") == f"{n}!"
        assert expand(engine, "{{ x }}", x=n) == str(n)
    assert len(engine._compiled) == MOST_TEMPLATES_KEPT
    first, again = engine._template("{{ x }}", markup=True), engine._template("{{ x }}", markup=True)
    assert first is again
    huge = "x" * (LONGEST_KEPT + 1)
    assert expand(engine, huge) == huge
    assert len(engine._compiled) == MOST_TEMPLATES_KEPT
