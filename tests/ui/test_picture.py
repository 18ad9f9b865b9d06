"""wardwatch.ui.picture"""

from wardwatch.model.report import Group, Link, Moment
from wardwatch.model.values import UNKNOWN_TIME
from wardwatch.ui.picture import MOST_LANES, WIDTH, talk, timeline


def test_boxes_of_one_picture_never_overlap() -> None:
    groups = [Group(f"{z}{k}", f"zone {z}", f"kind {k}", k + 1) for z in range(9) for k in range(4)]
    boxes = talk(groups, []).boxes
    assert len(boxes) == 36
    assert len({(b.x, b.y) for b in boxes}) == 36
    assert all(0 <= b.x <= WIDTH for b in boxes)


def test_an_edge_joins_known_boxes_only() -> None:
    groups = [Group("a", "z", "pump", 2), Group("b", "y", "server", 1)]
    edges = talk(groups, [Link("a", "b", 3, 900, True), Link("a", "gone", 1, 5, False)]).edges
    assert [(e.forbidden, e.label) for e in edges] == [(True, "a → b: 3 conversations, 900 bytes")]


def test_the_time_line_keeps_marks_inside_and_counts_the_rest() -> None:
    moments = [Moment(n, n + 5, "x" * n, "finding") for n in range(MOST_LANES + 7)]
    line = timeline(0, 20, moments)
    assert line.more == 7
    assert all(line.labels <= m.x and m.x + m.length <= WIDTH for m in line.marks)


def test_no_packets_make_no_time_line() -> None:
    assert timeline(UNKNOWN_TIME, UNKNOWN_TIME, []).marks == ()
