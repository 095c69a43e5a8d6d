from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np

from leaflab.report.page import Page, Table
from leaflab.report.svg import Line, bars, grid, plot, whiskers


def test_every_chart_is_well_formed_whatever_it_is_called():
    odd = '<b>&"x"'
    charts = [
        plot(odd, [Line(odd, [0, 1], [1, 2]), Line("b", [0.0], [1.0], "dots")], (odd, "y"), diagonal=True),
        bars(odd, [(odd, -1.0), ("b", 2.0)]),
        whiskers(odd, [(odd, 1.0, 0.5, 1.5)], zero=0.0),
        grid(odd, np.array([[3, 1], [0, 2]]), [odd, "b"], ("truth", "answer")),
        plot("empty", [], ("x", "y")),
        bars("empty", []),
    ]
    for chart in charts:
        assert ElementTree.fromstring(chart).tag.endswith("svg")


def test_names_too_long_for_a_column_of_the_grid_are_turned_and_counts_fit_their_cells():
    drawn = grid("g", np.full((9, 9), 123456), ["DERMASON"] * 9, ("truth", "answer"))
    assert drawn.count("rotate(") == 9 and "123k" in drawn
    assert "rotate(" not in grid("g", np.array([[3, 1], [0, 2]]), ["no", "yes"], ("truth", "answer"))


def test_the_page_stands_by_itself_with_figures_before_tables():
    page = Page("A <title>", "lead", [("loss", "0.5")], [bars("bars", [("a", 1.0)])])
    page.tables.append(Table("numbers", ("name", "value"), [("x", 1.5), ("<script>", 1000), ("g", "failed")]))
    html = page.html()
    assert html.index("<svg") < html.index("<table")
    assert "&lt;script&gt;" in html and "A &lt;title&gt;" in html and 'class="failed"' in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    HTMLParser().feed(html)
