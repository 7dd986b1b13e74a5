import pytest

from tuneproof.results.report.sections.shared_ends import without_shared_ends


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        pytest.param(
            [
                "Below is an instruction.\n\n### Instruction:\nWhat is a token?\n\n### Response:\n",
                "Below is an instruction.\n\n### Instruction:\nWhat is a loss?\n\n### Response:\n",
            ],
            ["What is a token?", "What is a loss?"],
            id="a template is left out, and words that all questions begin with are not",
        ),
        pytest.param(
            ["Which is odd?\nA. 1\nB. 2\nAnswer:", "Which is even?\nA. 3\nB. 4\nAnswer:"],
            ["Which is odd?\nA. 1\nB. 2", "Which is even?\nA. 3\nB. 4"],
            id="choices stay",
        ),
        pytest.param(
            ["Question: is it red? Answer:", "Question: is it round? Answer:"],
            ["is it red?", "is it round?"],
            id="without lines it is cut between sentences and after a colon",
        ),
        pytest.param(["A.\nB?", "A.\nB?"], ["A.\nB?", "A.\nB?"], id="equal texts stay whole"),
        pytest.param(["How tall is it?", "How old is it?"], ["How tall is it?", "How old is it?"], id="words stay"),
        pytest.param(["One alone.\nWhat?"], ["One alone.\nWhat?"], id="one text stays whole"),
        pytest.param(["T:\n\nend", "T:\nx\nend"], ["T:\n\nend", "x"], id="one that is all template stays whole"),
        pytest.param(["x y", "z y", ""], ["x y", "z y", ""], id="an empty text shares nothing"),
        pytest.param(["Go. Go.", "Go. Go. Go."], ["Go.", "Go. Go."], id="both ends never overlap"),
        pytest.param(["Ünïcode: ä", "Ünïcode: ö"], ["ä", "ö"], id="letters are whole"),
        pytest.param([], [], id="no texts"),
    ],
)
def test_what_all_texts_begin_and_end_with_is_left_out(texts: list[str], told: list[str]) -> None:
    assert without_shared_ends(texts) == told
