"""Templates as people write them, and what becomes of each: certified, or refused for a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "scripts" / "benchmarks" / "documents"
SANS = "body { font: 10pt/1.4 'Liberation Sans'; margin: 0 }"
WORDS = "Text that flows around the box and on. "


@dataclass(frozen=True)
class Certifiable:
    """A template, its sample data, and the verdict; ``because`` stands in the reasons of a refusal."""

    content: str
    data: dict[str, Any] = field(default_factory=dict)
    verdict: str = "certified"
    because: str = ""


def benchmark(name: str) -> Certifiable:
    content = (BENCHMARKS / f"{name}.html.jinja").read_text(encoding="utf-8")
    return Certifiable(content, json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8")))


def styled(css: str, body: str) -> str:
    return f"<!DOCTYPE html><html lang=en><title>t</title><style>{SANS} {css}</style><body>{body}"


def refused(content: str, because: str) -> Certifiable:
    return Certifiable(content, {}, "refused", because)


CERTIFIABLE = {
    "invoice": benchmark("invoice"),
    "table400": benchmark("table400"),
    "letter": Certifiable(
        styled(
            "@page { size: A4; margin: 25mm 20mm } .to { margin: 20mm 0 15mm } p { margin: 0 0 3mm;"
            " text-align: justify }",
            "<div class=to>{{ name }}<br>{{ street }}<br>{{ town }}</div><p>Dear {{ name }},"
            + "<p>{{ text }}</p>" * 3
            + "<p>Yours faithfully",
        ),
        {
            "name": "Ms Ó Briain",
            "street": "14 Harbour Road",
            "town": "Cork T12 X8Y2",
            "text": "thank you for your order of last week, which we deliver as agreed: the office said “first”. " * 3,
        },
    ),
    "label": Certifiable(
        styled(
            "@page { size: 100mm 50mm; margin: 4mm } h1 { font-size: 18pt; margin: 0 }", "<h1>{{ bin }}</h1>{{ what }}"
        ),
        {"bin": "A-17-03", "what": "Ball bearing 6204-2RS"},
    ),
    "delivery note": Certifiable(
        styled(
            "@page { size: A5 landscape; margin: 10mm } table { width: 100%; border-collapse: collapse }"
            "td, th { border: 1px solid #333; padding: 1mm 2mm; text-align: left }"
            "tbody tr:nth-child(even) { background: #eee }",
            "<table><thead><tr><th>Item<th>Quantity</thead><tbody>"
            "{% for n in range(rows) %}<tr><td>Item {{ n }}<td>{{ n * 7 }}{% endfor %}</table>",
        ),
        {"rows": 40},
    ),
    "statement with page numbers": Certifiable(
        styled(
            "@page { size: A4; margin: 20mm; @bottom-right { content: 'Page ' counter(page) ' of ' counter(pages);"
            " font: 8pt 'Liberation Sans' } } p { margin: 0 }",
            "{% for n in range(120) %}<p>Line {{ n }}{% endfor %}",
        )
    ),
    "card with rounded corners": Certifiable(
        styled(
            "@page { size: 85mm 55mm; margin: 3mm } .c { border: 2px solid #1f4e79; border-radius: 8px; padding: 4mm;"
            " opacity: .8; background: #def }",
            "<div class=c><b>Ada Lovelace</b><br><i>Analyst</i></div>",
        )
    ),
    "columns of flex": Certifiable(
        styled(
            ".f { display: flex; gap: 1cm } .f div { flex: 1; border-top: 1px solid red }",
            "<div class=f><div>a</div><div>b</div><div>c</div></div>",
        )
    ),
    "float that breaks the same way": Certifiable(
        styled(
            "",
            "<div style='width:10cm'><div style='float:right;width:33%;margin:3mm;border:1px solid'>A side note, which "
            f"is a bit longer</div>{WORDS * 12}</div>",
        )
    ),
    "stamp across the page": Certifiable(
        styled(
            "",
            "<div style='transform:rotate(-20deg);position:absolute;top:5cm;left:3cm;font-size:40pt;color:#eee'>DRAFT"
            "</div><p>Text",
        )
    ),
    "float that breaks otherwise": refused(
        "<div style='width:10cm'><div style='float:left;width:4cm;height:2cm;background:#ccc'>box</div>" + WORDS * 8,
        "stands",
    ),
    "grid": refused(
        styled(".g { display: grid; grid-template-columns: 1fr 2fr }", "<div class=g><div>a</div><div>b</div></div>"),
        "only the reference can do a grid",
    ),
    "table of contents": refused(
        styled(
            "a::after { content: ' ' target-counter(attr(href), page) } h1 { break-before: page }",
            "<a href='#x'>Chapter</a><h1 id=x>Chapter</h1>",
        ),
        "only the reference can do cross references",
    ),
    "named pages": refused(
        styled("@page wide { size: A4 landscape } .w { page: wide }", "<p>a<div class=w>b</div>"),
        "only the reference can do named pages",
    ),
    "footnotes": refused(styled("span { float: footnote }", "<p>Text<span>note</span> more"), "footnotes"),
    "running title": refused(
        styled("@page { @top-left { content: string(t) } } h1 { string-set: t content() }", "<h1>Title</h1>"),
        "named strings",
    ),
    "attached file": refused(styled("", "<link rel=attachment href='data:text/plain,hello'><p>a"), "attached files"),
    "hyphens": refused(
        styled(
            "p { width: 5cm; hyphens: auto; text-align: justify }",
            "<p>Internationalization considerations regarding hyphenation demonstrations everywhere possible.",
        ),
        "broken elsewhere",
    ),
    "shadow": refused(
        styled(".s { width: 5cm; height: 2cm; background: #eee; box-shadow: 2mm 2mm 0 #888 }", "<div class=s>s</div>"),
        "painted otherwise",
    ),
    "contents with links": refused(styled("p { margin: 0 }", "<a href='#x'>to the end</a><p id=x>end"), "link"),
}
