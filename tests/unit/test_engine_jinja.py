"""The jinja engine: what templates may do, what they may not, and what their authors are told."""

from __future__ import annotations

import signal

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from shared.exceptions import EngineError, TemplateError
from workers.engines import Source
from workers.engines.jinja import LONGEST_KEPT, MOST_TEMPLATES_KEPT, JinjaEngine
from workers.engines.none import NoneEngine


@pytest.fixture(scope="module")
def engine():
    return JinjaEngine()


class Shelf:
    """Templates by name, and which of them were asked for."""

    def __init__(self, templates):
        self.templates = templates
        self.asked = []

    def find(self, name):
        self.asked.append(name)
        found = self.templates.get(name)
        return Source(found, "jinja") if isinstance(found, str) else found


def expand(engine, content, *, markup=True, locale="en_IE", others=None, **data):
    library = others if others is None or isinstance(others, Shelf) else Shelf(others)
    return engine.expand(content, data, markup=markup, locale=locale, library=library)


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
        ("\n{% include 'other' %}", 2, 'there is no template named "other"'),
        ("{% extends '/etc/passwd' %}", 1, 'there is no template named "/etc/passwd"'),
        ("{% import 'other' as o %}", 1, 'there is no template named "other"'),
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
        "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
        "{{ (1).__class__ }}",
        "{{ none.__class__ }}",
        "{{ nothing.__class__ }}",
        "{{ items.__class__ }}",
        "{{ ('' | safe).__class__ }}",
        "{{ [''] | map('string') | map('attr', '__class__') | list }}",
        "{{ [''] | selectattr('__class__') | list }}",
        "{{ [''] | rejectattr('__class__.__mro__') | list }}",
        "{{ [''] | unique(attribute='__class__') | list }}",
        "{{ [''] | sum(attribute='__class__') }}",
        "{{ [''] | max(attribute='__class__') }}",
        "{{ [''] | join(',', attribute='__class__') }}",
        "{{ '{0.__class__.__mro__}' | attr('format') }}{{ ('{0.__class__}' | attr('format'))('') }}",
        "{{ ['{0.__class__}'] | map('attr', 'format') | first | attr('__globals__') }}",
        "{{ ('{x.__class__}' | safe).format_map({'x': ''}) }}",
        "{{ '{0[__class__]}'.format(namespace) }}",
        "{% set ns = namespace() %}{{ ns.__class__ }}",
        "{% set ns = namespace(a='') %}{{ ns.a.__class__ }}",
        "{{ cycler('a').__init__.__globals__ }}",
        "{{ cycler('a').next.__globals__ }}",
        "{{ cycler('a').next.__func__ }}",
        "{{ joiner().__call__.__func__ }}",
        "{{ dict.__base__ }}",
        "{{ dict.mro() }}",
        "{{ asset_text.__globals__ }}",
        "{{ asset_json.__closure__ }}",
        "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
        "{% macro m() %}{{ varargs.__class__ }}{{ kwargs.__class__ }}{% endmacro %}{{ m(1, a=2) }}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% block b %}{{ self.b.__init__ }}{% endblock %}",
        "{{ self._TemplateReference__context }}",
        "{% for i in [1] recursive %}{{ loop._recurse }}{% endfor %}",
        "{% set x = namespace(f=''.format) %}{{ x.f.__closure__ }}",
        "{{ (items | map('upper')).gi_code }}",
    ],
)
def test_the_sandbox_cannot_be_left(engine, content):
    message = refused(engine, content, items=["a"]).message
    assert "may not use" in message or "'lipsum' is undefined" in message


@pytest.mark.parametrize(
    "content",
    [
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro a(f) %}{{ f(f) }}{% endmacro %}{{ a(a) }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% block b %}{{ self.b() }}{% endblock %}",
        "{% set ns = namespace() %}{% macro a() %}{{ ns.f() }}{% endmacro %}{% set ns.f = a %}{{ a() }}",
    ],
)
def test_what_calls_itself_without_end_is_an_error_of_the_template(engine, content):
    assert "too deeply" in refused(engine, content).message


@pytest.mark.parametrize("content", ["{% debug %}", "{% do 1 %}", "{% python %}", "{% load x %}"])
def test_no_statement_is_added_to_those_of_jinja(engine, content):
    assert "unknown tag" in refused(engine, content).message


def test_a_key_of_the_data_may_have_any_name_and_is_only_data(engine):
    assert expand(engine, "{{ order.__class__ }}{{ order['__init__'] }}", order={"__class__": 1, "__init__": 2}) == "12"


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
        "{{ (1,) * 10**9 }}",
        "{{ ('x' | safe) * 10**9 }}",
        "{{ ('x' * 10**6) * 10**6 }}",
        "{% set x = 'x' * 10**6 %}{{ x * 2 }}",
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
    huge = "x" * (LONGEST_KEPT + 1)
    assert expand(engine, huge) == huge
    assert len(engine._compiled) == MOST_TEMPLATES_KEPT


LAYOUT = "<h1>{% block title %}none{% endblock %}</h1>{% block body %}{% endblock %}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{% include 'greeting' %}", "Hello &lt;Ada&gt;"),
        ("{% include 'outer' %}", "[Hello &lt;Ada&gt;]"),
        ("{% for name in ['a', 'b'] %}{% include 'greeting' %}{% endfor %}", "Hello aHello b"),
        ("{% set name = 'x' %}{% include 'greeting' without context %}", "Hello "),
        ("{% extends 'layout' %}{% block title %}{{ name }}{% endblock %}", "<h1>&lt;Ada&gt;</h1>"),
        ("{% extends 'layout' %}{% block title %}{{ super() }}!{% endblock %}", "<h1>none!</h1>"),
        ("{% extends 'half' %}{% block body %}b{% endblock %}", "<h1>half</h1>b"),
        ("{% import 'macros' as m %}{{ m.bold(name) }}", "<b>&lt;Ada&gt;</b>"),
        ("{% from 'macros' import bold as b %}{{ b('x') }}", "<b>x</b>"),
        ("{% from 'macros' import price %}{{ price(1234.5) }}", "€1,234.50"),
        ("{% from 'macros' import named with context %}{{ named() }}", "&lt;Ada&gt;"),
        ("{% include 'no' ignore missing %}.", "."),
        ("{% include ['no', 'greeting'] %}", "Hello &lt;Ada&gt;"),
        ("{% include which %}", "Hello &lt;Ada&gt;"),
        ("{% include 'gr' ~ 'eeting' %}", "Hello &lt;Ada&gt;"),
        ("{% include 'Köpfe / 2 “x”' %}", "ü"),
        ("{% extends 'layout' %}{% block body %}{% include 'layout' %}{% endblock %}", "<h1>none</h1><h1>none</h1>"),
    ],
)
def test_a_template_can_be_made_of_others(engine, content, expected):
    others = {
        "greeting": "Hello {{ name }}",
        "outer": "[{% include 'greeting' %}]",
        "layout": LAYOUT,
        "half": "{% extends 'layout' %}{% block title %}half{% endblock %}",
        "macros": (
            "{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}{% macro price(x) %}{{ x | money('EUR') }}{% endmacro %}"
            "{% macro named() %}{{ name }}{% endmacro %}"
        ),
        "Köpfe / 2 “x”": "ü",
    }
    assert expand(engine, content, others=others, name="<Ada>", which="greeting") == expected


def test_an_included_template_is_escaped_as_the_document_is(engine):
    for markup, expected in ((True, "&lt;"), (False, "<"), (True, "&lt;")):
        assert expand(engine, "{% include 'x' %}", others={"x": "{{ v }}"}, markup=markup, v="<") == expected


def test_each_other_template_is_looked_for_once(engine):
    shelf = Shelf({"a": "a{% include 'b' %}", "b": "b"})
    content = (
        "{% for i in range(3) %}{% include 'a' %}{% include 'no' ignore missing %}{% endfor %}{% import 'b' as b %}"
    )
    assert expand(engine, content, others=shelf) == "ababab"
    assert shelf.asked == ["a", "b", "no"]


def test_an_other_template_is_the_newest_at_each_render(engine):
    content = "{% import 'm' as m %}{{ m.x }}{% include 'i' %}"
    for n in ("1", "2"):
        assert expand(engine, content, others={"m": f"{{% set x = {n} %}}", "i": n}) == n * 2


def test_nothing_that_a_document_leaves_in_an_imported_template_reaches_the_next(engine):
    counter = "{% set ns = namespace(n=0) %}{% macro next() %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{% endmacro %}"
    content = "{% import 'counter' as c %}{{ c.next() }}{{ c.next() }}"
    assert [expand(engine, content, others={"counter": counter}) for _ in range(2)] == ["12", "12"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a\n{% include 'broken' %}", 2, 'line 3 of "broken": division by zero'),
        ("\n{% include 'around' %}", 2, 'line 3 of "broken": division by zero'),
        ("\n\n{% include 'unreadable' %}", 3, 'line 2 of "unreadable": Expected an expression, got'),
        ("\n\n{% include 'lacking' %}", 3, 'line 2 of "lacking": there is no template named "no"'),
        ("\n{% include 'lacking' ignore missing %}", 2, 'line 2 of "lacking": there is no template named "no"'),
        ("\n{% include 'sum' %}", 2, '"sum": the template nests too deeply (a macro that calls'),
        ("{% import 'macros' as m %}\n\n{{ m.fail() }}", 3, 'line 2 of "macros": division by zero'),
        ("{% extends 'frame' %}\n{% block a %}\n{{ 1 / 0 }}{% endblock %}", 3, "line 3: division by zero"),
        ("\n{% extends 'broken' %}", 2, 'line 3 of "broken": division by zero'),
        ("\n{% include ['no', 'nope'] %}", 2, "line 2: none of the templates given were found: no, nope"),
        ("\n{% include nothing %}", 2, "line 2: 'nothing' is undefined"),
        ("\n{% extends nothing %}", 2, "line 2: 'nothing' is undefined"),
        ("\n{% extends 5 %}", 2, "line 2: 5 is not the name of a template: expected a text"),
        ("\n{% include [5] %}", 2, "line 2: 5 is not the name of a template: expected a text"),
        ("\n{% include 'plain' %}", 2, "line 2: template \"plain\" is for the engine 'none': only one"),
        ("\n{% include '\\0' %}", 2, 'line 2: there is no template named "\\u0000"'),
        ("\n{% include '\\ud800' %}", 2, 'line 2: there is no template named "?"'),
    ],
)
def test_an_error_in_another_template_names_its_line_there_and_the_line_that_led_to_it(engine, content, line, message):
    others = {
        "broken": "\n\n{{ 1 / 0 }}",
        "around": "{% include 'broken' %}",
        "unreadable": "\n{% for %}",
        "lacking": "\n{% include 'no' %}",
        "sum": "{{ 1" + "+1" * 20_000 + " }}",
        "macros": "{% macro fail() %}\n{{ 1 / 0 }}{% endmacro %}",
        "frame": "\n\n\n\n{% block a %}{% endblock %}",
        "plain": Source("x", "none"),
    }
    error = refused(engine, content, others=others)
    assert error.message.startswith(message)
    assert error.line == line


@pytest.mark.parametrize(
    ("others", "way"),
    [
        ({"a": "{% include 'a' %}"}, '"a" -> "a"'),
        (
            {"a": "{% include 'b' %}", "b": "{% extends 'c' %}", "c": "{% import 'a' as a %}"},
            '"c" -> "a" -> "b" -> "c"',
        ),
        ({"a": "{% include ['no', 'b'] %}", "b": "{% include data %}"}, '"b" -> "a" -> "b"'),
        ({"a": "{% include data ~ '' ignore missing %}"}, '"a" -> "a"'),
    ],
    ids=["itself", "three", "by a name in the data", "though missing ones are ignored"],
)
def test_templates_that_go_in_a_circle_are_refused(engine, others, way):
    error = refused(engine, "\n{% include 'a' %}", others=others, data="a")
    assert error.line == 2
    assert f"includes itself: {way}." in error.message


def test_a_macro_of_another_template_may_call_itself(engine):
    tree = "{% macro tree(n) %}{{ n.name }}{% for c in n.below %}({{ tree(c) }}){% endfor %}{% endmacro %}"
    content = "{% from 'tree' import tree %}{{ tree(top) }}"
    top = {"name": "a", "below": [{"name": "b", "below": [{"name": "c", "below": []}]}]}
    assert expand(engine, content, others={"tree": tree}, top=top) == "a(b(c))"


def test_a_template_cannot_look_for_any_number_of_others(engine):
    content = "{% for i in range(99999) %}{% include i ~ '' ignore missing %}{% endfor %}"
    shelf = Shelf({})
    assert "more than 1000 others" in refused(engine, content, others=shelf).message
    assert len(shelf.asked) == 1000


def test_a_library_that_cannot_be_read_is_no_fault_of_the_template(engine):
    class Away:
        def find(self, name):
            raise EngineError("away")

    with pytest.raises(EngineError, match=r"^away$"):
        engine.expand("{% include 'a' %}", {}, markup=True, locale="en", library=Away())


@pytest.mark.parametrize(
    "content",
    [
        "{% import 'x' as x %}{{ x.__class__ }}",
        "{% import 'x' as x %}{{ x._body_stream }}",
        "{% import 'x' as x %}{{ x.m.__call__ }}",
        "{% from 'x' import m %}{{ m._func }}",
        "{% extends 'x' %}{% block b %}{{ super.__call__ }}{% endblock %}",
        "{% extends 'x' %}{% block b %}{{ super._context }}{% endblock %}",
        "{% include 'y' %}",
    ],
)
def test_the_sandbox_cannot_be_left_by_way_of_another_template(engine, content):
    others = {"x": "{% macro m() %}{% endmacro %}{% block b %}{% endblock %}", "y": "{{ ''.__class__ }}"}
    assert "may not use" in refused(engine, content, others=others).message
