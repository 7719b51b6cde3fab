"""What a new template may begin with, so that its author sees a page at once, and how values and lists come into it."""

from __future__ import annotations

from typing import Any

CONTENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
  @page {
    size: A4;
    margin: 20mm 18mm;
    @bottom-right { content: "Page " counter(page) " of " counter(pages); font-size: 8pt; color: #667; }
  }
  body { font-family: "Liberation Sans", "DejaVu Sans", sans-serif; font-size: 10pt; color: #1f2a35; }
  h1 { margin: 0 0 6mm; font-size: 20pt; }
  table { width: 100%; border-collapse: collapse; }
  th, td { padding: 2mm; border-bottom: 0.2mm solid #ccd; text-align: left; }
  .number { text-align: right; }
</style>
</head>
<body>
  <h1>{{ title }}</h1>
  <p>For {{ customer }}, {{ date | date("long") }}</p>

  <table>
    <thead><tr><th>Article</th><th class="number">Quantity</th></tr></thead>
    <tbody>
      {% for row in rows %}
      <tr><td>{{ row.article }}</td><td class="number">{{ row.quantity }}</td></tr>
      {% endfor %}
    </tbody>
  </table>
</body>
</html>
"""
PAGE: dict[str, Any] = {
    "content": CONTENT,
    "engine": "jinja",
    "recipe": "pdf",
    "sampleData": {
        "title": "Packing list",
        "rows": [
            {"article": "Ball bearing 6204-2RS", "quantity": 40},
            {"article": "Timing belt T5x400", "quantity": 2},
        ],
    },
    "parameters": [
        {"name": "customer", "type": "string", "required": True, "example": "Müller & Söhne GmbH"},
        {"name": "date", "type": "date", "required": True, "example": "2026-03-14"},
    ],
    "fields": [
        {"name": "article", "type": "string", "description": "What is packed"},
        {"name": "quantity", "type": "integer", "description": "How many of it"},
    ],
}
