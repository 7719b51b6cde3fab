"""Throughput and latency over load, as an SVG. matplotlib draws it, which only the tests' environment has."""

from __future__ import annotations

import statistics
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import JSREPORT, THIS
from benchmarks.farms import MeasureError

if TYPE_CHECKING:
    from pathlib import Path

# Told apart by those who see few colours, too; two farms also have markers of their own.
COLOURS = ["#0b5394", "#c55a11"]
MARKERS = ["o", "s"]
NAMES = {THIS: "Pressroom", JSREPORT: "jsreport", "other": "the other checkout"}
GREY = "#555555"


def check(file: Path) -> None:
    """See whether a plot can be drawn, before there is anything to draw.

    Raises:
        MeasureError: It cannot.
    """
    if file.suffix != ".svg":
        raise MeasureError(f"--plot {file}: expected a file whose name ends in .svg")
    if not file.absolute().parent.is_dir():
        raise MeasureError(f"--plot {file}: there is no folder {file.absolute().parent}")
    if find_spec("matplotlib") is None:
        raise MeasureError("--plot needs matplotlib, which is among the tests' tools: run scripts/test once")


def draw(result: dict[str, Any], file: Path) -> None:
    """Draw what `benchmarks.turns` found: lines are the medians of the turns, bands go from the least to the most.

    Args:
        result: Its result, with a run for each load.
        file: Where the SVG goes.
    """
    import matplotlib as mpl  # noqa: PLC0415  # Missing in a farm's environment.
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415

    style: Any = {"font.size": 10, "font.family": "sans-serif", "svg.hashsalt": "pressroom", "axes.edgecolor": GREY}
    with mpl.rc_context(style):
        figure = Figure(figsize=(10, 4.4), layout="constrained")
        figure.suptitle(_title(result), x=0.01, ha="left", fontsize=12, fontweight="bold")
        rate, wait = figure.subplots(1, 2)
        clients = [one["concurrency"] for one in result["runs"]]
        for number, name in enumerate(result["made"]):
            turns = [one["farms"][name] for one in result["runs"]]
            look = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 5, "linewidth": 1.8}
            label = NAMES[name]
            _band(rate, clients, [[turn["perSecond"] for turn in of] for of in turns], look, label)
            _band(wait, clients, [[turn["latencyMs"]["p50"] for turn in of] for of in turns], look, f"{label}, p50")
            high = [statistics.median(turn["latencyMs"]["p95"] for turn in of) for of in turns]
            wait.plot(clients, high, label=f"{label}, p95", **look | {"linestyle": ":", "linewidth": 1.3})
        for axes, title in ((rate, "Documents a second"), (wait, "Latency, ms")):
            axes.set_title(title, loc="left", fontsize=10.5)
            axes.set_xscale("log", base=2)
            axes.set_xticks(clients, [str(one) for one in clients])
            axes.set_xlabel("clients at once")
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color="#dddddd", linewidth=0.7)
            axes.tick_params(colors=GREY, labelcolor="black")
            axes.set_axisbelow(True)
        rate.set_ylim(bottom=0)
        wait.set_yscale("log")
        wait.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        wait.yaxis.set_major_formatter("{x:g}")
        wait.yaxis.set_minor_formatter(NullFormatter())
        rate.legend(frameon=False)
        wait.legend(frameon=False)
        figure.savefig(file, metadata={"Date": None})


def _band(axes: Any, clients: list[int], turns: list[list[float]], look: dict[str, Any], label: str) -> None:
    axes.plot(clients, [statistics.median(of) for of in turns], label=label, **look)
    axes.fill_between(
        clients, [min(of) for of in turns], [max(of) for of in turns], color=look["color"], alpha=0.15, lw=0
    )


def _title(result: dict[str, Any]) -> str:
    kind = {"sync": "waited for", "async": "stored"}[result["measurement"]]
    return f"{result['document']} by {result['recipe']}, {kind}, {result['cores']} cores"
