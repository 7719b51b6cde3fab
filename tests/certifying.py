"""A rendering child's certification, with real engines, a database and a storage."""

from __future__ import annotations

import json

import orders
from redis.exceptions import RedisError
from sqlalchemy import update

from shared import certificates, template_saves
from shared.database import now
from shared.models import Certificate, Render
from shared.templates import TemplateFields
from workers import registry
from workers.assets import AssetCache
from workers.certification import environment
from workers.certification.certifier import Certifier
from workers.certification.choosing import Certification
from workers.rendering import RenderRoom

TRACE = "c" * 32
ENVIRONMENT = environment.current()
REGISTRY = registry.load()


class Away:
    """A place at a bell that nobody can ring, so that a shift ends when nothing waits."""

    def sign(self) -> None:
        raise RedisError("nobody rings in this test")


class Child:
    """What one rendering child does; ``rung`` is what it announced that is to be certified."""

    def __init__(self, database, storage, settings, *, environment=ENVIRONMENT, recipes=REGISTRY) -> None:
        self.database, self.storage, self.settings = database, storage, settings
        self.rung = []
        self.came = set()
        cache = AssetCache(settings.asset_cache_bytes)
        self.certifier = Certifier(
            settings=settings,
            database=database,
            storage=storage,
            registry=recipes,
            asset_cache=cache,
            worker_id="worker-1",
            environment=environment,
        )
        self.certification = Certification(
            database=database,
            registry=recipes,
            certifier=self.certifier,
            environment=environment,
            interval=settings.certification_interval,
            came_before=self.came_before,
            ring=self.ring,
        )
        self.room = RenderRoom(
            settings=settings,
            database=database,
            storage=storage,
            registry=recipes,
            asset_cache=cache,
            worker_id="worker-1",
            queues=["render"],
            children=1,
            announce=lambda _: None,
            ring=self.ring,
            publish=lambda _: True,
            certification=self.certification,
        )

    def came_before(self, subject) -> bool:
        came = subject in self.came
        self.came.add(subject)
        return came

    def ring(self, errand) -> bool:
        self.rung.append(errand)
        return True

    def save(self, content, data, *, name="t", **changes) -> str:
        """Save a template, and return the subject of its certificate."""
        sample = None if data is None else json.dumps(data)
        fields = {"name": name, "content": content, "engine": "jinja", "recipe": "pdf", "sample_data": sample}
        saved = template_saves.save_new(self.database, TemplateFields(**(fields | changes)), trace_id=TRACE)
        if saved.errand is not None:
            self.ring(saved.errand)
        return certificates.of_stored(saved.template.version_id, fields["engine"])

    def answer(self) -> None:
        """Do what was rung for."""
        while self.rung:
            self.certifier.certify(self.rung.pop(0).row_id)

    def render(self, subject=None, *, content=None, data=None, recipe="pdf") -> Render:
        """Render a stored template, or an inline one."""
        version_id = None if subject is None else subject.rpartition("-")[0]
        render_id = orders.submitted(
            self.database,
            template_version_id=version_id,
            content=content,
            recipe=recipe,
            data=json.dumps(data or {}),
            trace_id=TRACE,
            timeout=60.0,
        )
        self.work()
        return orders.row(self.database, render_id)

    def work(self) -> None:
        """Make what waits."""
        self.room._shift.work(Away())

    def row(self, subject) -> Certificate | None:
        with self.database.reading() as session:
            return session.get(Certificate, subject)

    def reasons(self, subject) -> list[str]:
        return [one["text"] for one in self.row(subject).result["reasons"]]

    def put(self, subject, **values) -> None:
        """Write into a certificate what no farm would, or only later."""
        with self.database.writing() as session:
            session.execute(update(Certificate).where(Certificate.subject == subject).values(**values))

    def grow_old(self, subject, seconds=3600) -> None:
        self.put(subject, issued_at=now(-seconds))


def made_with(render) -> str:
    return render.used["madeWith"]["recipe"]
