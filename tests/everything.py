"""A farm in which there is one thing of each kind, made the way the product makes them."""

from __future__ import annotations

import datetime as dt

import asset_files
import orders
import printing
import records
from rota import Rota

from shared import assets, batch_sources, batches, firing, leases, print_orders, renders, reports
from shared.batches import BatchOrder
from shared.identifiers import new_id
from shared.models import Thumbnail
from shared.print_orders import Wish
from shared.submissions import TemplateChoice


class Everything:
    """One of each kind; the traces of things that have nothing to do with each other differ.

    Attributes:
        printer: A printer.
        record: A history record of trace ``order-1``, with its document and its thumbnail.
        reprint: A print task of that, with a trace of its own.
        report_id: A report of trace ``order-2``, called "an invoice", whose blobName is ``invoices/2026/4711``.
        schedule: A schedule, called "every night".
        task: A run of it, of trace ``run-1``, which failed.
        asset: An asset, called "logos/northwind.svg".
        batch: A batch of two documents, of trace ``batch-1``; none of them is handed out.
    """

    def __init__(self, database, storage, settings, template) -> None:
        self.database = database
        self.template = template
        self.printer = printing.add_printer(database, name="Warehouse 1", agent=True)
        self.record = records.done(database, storage, template, trace_id="order-1")
        with database.writing() as session:
            claimed = leases.claim(session, Thumbnail, self.record.render_id, worker_id="w", seconds=60)
            leases.fail(session, Thumbnail, self.record.render_id, attempt=claimed.attempt, error="it is encrypted")
            wish = Wish(printer_name="Warehouse 1", number_of_copies=2, options={}, created_by="token:shop")
            self.reprint = print_orders.reprint(session, self.record.id, wish)
        self.report_id = self.report(trace_id="order-2", name="an invoice", blob_name="invoices/2026/4711")
        rota = Rota(database, storage, settings)
        # Not due before tomorrow.
        tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        self.schedule = rota.schedule(name="every night", at=tomorrow)
        self.task = firing.run_now(rota.submitter, self.schedule.id, trace_id="run-1")
        orders.claimed(database, self.task.render_id)
        with database.writing() as session:
            renders.fail(session, self.task.render_id, attempt=1, cause=renders.Cause.TEMPLATE, error="no such filter")
        rota.look()
        self.asset = assets.store(
            database, storage, name="logos/northwind.svg", content=asset_files.SVG, limit=10_000
        ).asset
        order = BatchOrder(trace_id="batch-1", template=TemplateChoice(name=template.name), name="label-{{ number }}")
        items = batch_sources.of_values([{"number": 1}, {"number": 2}])
        self.batch = batches.accept(database, storage, settings, order, items, recipe_states={})

    def report(self, *, trace_id, name="a report", blob_name=None) -> str:
        """Keep a render as a report, and return the report's id."""
        report_id = new_id()
        submission = orders.submission(trace_id=trace_id, kept=True)
        with self.database.writing() as session:
            render = renders.submit(session, submission)
            session.flush()
            reports.create(
                session, render, report_id=report_id, name=name, blob_name=report_id if blob_name is None else blob_name
            )
        return report_id
