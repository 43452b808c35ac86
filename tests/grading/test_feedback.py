from nbformat import v4

from dlcourse.checks import MIME
from dlcourse.grading.books.feedback import SpareHidden, WriteMathML, write_reason


def hidden(*outputs):
    metadata = {"nbgrader": {"grade": True, "grade_id": "add_hidden", "points": 1}}
    source = "### BEGIN HIDDEN TESTS\nsecret()\n### END HIDDEN TESTS"
    return v4.new_code_cell(source, metadata=metadata, outputs=list(outputs))


def test_only_the_report_of_a_hidden_check_is_kept():
    report = v4.new_output("execute_result", data={"text/plain": "1", MIME: {"points": 1}})
    said = v4.new_output("stream", name="stdout", text="a = 40")
    cell, _ = SpareHidden().preprocess_cell(hidden(said, report), {}, 0)
    assert cell.outputs == [report]


def test_the_traceback_of_a_hidden_check_is_not_kept():
    error = v4.new_output("error", ename="NameError", evalue="secret", traceback=["----> 2 secret()"])
    cell, _ = SpareHidden().preprocess_cell(hidden(error), {}, 0)
    assert "secret" not in str(cell.outputs)
    assert "A hidden check could not run: NameError." in cell.outputs[0].data["text/html"]


def test_other_cells_are_left_alone():
    cell = v4.new_code_cell("print(1)", outputs=[v4.new_output("stream", name="stdout", text="1")])
    after, _ = SpareHidden().preprocess_cell(cell, {}, 0)
    assert len(after.outputs) == 1


def test_formulas_become_mathml_but_code_does_not():
    cell = v4.new_markdown_cell("A sum $z_i$ costs `$5`.\n\n$$\nz = w x\n$$\n")
    after, _ = WriteMathML().preprocess_cell(cell, {}, 0)
    assert after.source.count("<math") == 2
    assert 'display="block"' in after.source
    assert "`$5`" in after.source


def test_a_formula_that_nobody_understands_stays_as_it_is():
    cell = v4.new_markdown_cell(r"Say $\unheardof{x}$.")
    after, _ = WriteMathML().preprocess_cell(cell, {}, 0)
    assert r"$\unheardof{x}$" in after.source


def test_the_page_of_an_ungraded_notebook_gives_the_reason(tmp_path):
    page = tmp_path / "ada" / "adding.html"
    write_reason(page, chapter="adding", total=5, reason="it is <not> a notebook")
    html = page.read_text(encoding="utf-8")
    assert "it is &lt;not&gt; a notebook" in html
    assert "0 of 5 points" in html


def test_the_index_of_an_accented_letter_stands_beside_it():
    cell = v4.new_markdown_cell(r"$\hat{y}_i$")
    after, _ = WriteMathML().preprocess_cell(cell, {}, 0)
    assert "<msub><mover><mi>y</mi>" in after.source
    assert "munderover" not in after.source
