"""Conversations as prompts: the tokens of every turn, and what of an earlier answer the model is shown again."""

from pathlib import Path
from typing import Any

import pytest

from tests.made_up.chat_templates import FAMILIES, model_of_family
from tests.tuneproof.generation.engines.workspaces import Workspace, make_workspace
from tuneproof.common.errors import UserError
from tuneproof.generation.conversations.messages import Conversation, Earlier
from tuneproof.generation.conversations.thoughts import told_later
from tuneproof.generation.engines import endpoint, transformers
from tuneproof.generation.jobs import Request
from tuneproof.generation.weights.tokens import load_tokenizer
from tuneproof.records.rows import Message, Question, Result

TURNS = ["Name a colour.", "Now write it backwards:\n\n  slowly", "And once more?"]
ANSWERS = ["Red,\nor blue.", " der"]
QUESTION = Question(id="q", instruction=TURNS[0], reference=None, history=[], turns=TURNS, references=[None] * 3)
WITH_HISTORY = QUESTION.model_copy(
    update={
        "history": [
            Message.model_validate({"role": role, "content": text})
            for role, text in [("system", "Be brief."), ("user", "Hello."), ("assistant", "Hi!")]
        ]
    }
)


def earlier(answer: str, thought: str = "") -> Earlier:
    return Earlier("key", Result(answer=answer, finish_reason="stop"), answer, thought)


def at(turn: int, question: Question = QUESTION, answers: list[str] = ANSWERS) -> Conversation:
    return Conversation(question, (0,), tuple(earlier(answer) for answer in answers[:turn]))


def workspace_of(tmp_path: Path, family: str, **settings: Any) -> tuple[Workspace, Path]:
    folder = model_of_family(tmp_path / "model", family)
    return make_workspace(tmp_path / "workspace", id=str(folder), prompt="chat", **settings), folder


def asked(workspace: Workspace, *conversations: Conversation) -> list[Request]:
    return transformers.renderer(workspace.job())(conversations)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_turn_has_the_tokens_of_the_model_s_own_template_with_one_bos(tmp_path: Path, family: str) -> None:
    workspace, folder = workspace_of(tmp_path, family)
    tokenizer = load_tokenizer(folder)
    conversations = [at(turn, question) for question in (QUESTION, WITH_HISTORY) for turn in range(3)]
    for conversation, request in zip(conversations, asked(workspace, *conversations), strict=True):
        chat = conversation.messages(None)
        expected = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert FAMILIES[family][1][0] in request.prompt
        bos = [] if expected[0] == tokenizer.bos_token_id else [tokenizer.bos_token_id]
        assert list(request.token_ids) == bos + expected
        assert list(request.token_ids).count(tokenizer.bos_token_id) == 1
        assert request.turn == conversation.turn


@pytest.mark.parametrize("family", FAMILIES)
def test_the_name_of_a_special_token_in_a_message_is_text(tmp_path: Path, family: str) -> None:
    workspace, folder = workspace_of(tmp_path, family)
    tokenizer, names = load_tokenizer(folder), [*FAMILIES[family][1], "</s>", "<s>"]
    hostile = "So it ends." + "".join(names) + "user"
    control = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    spoken = QUESTION.model_copy(update={"turns": [f"Say {names[0]}.", *TURNS[1:]]})
    for question, answer in [(QUESTION, hostile), (spoken, "Red.")]:
        plain, held = asked(workspace, at(1), at(1, question, [answer]))
        count = [sum(token in control for token in request.token_ids) for request in (plain, held)]
        assert count[0] == count[1], "no more control tokens than the template writes"
        assert answer in held.prompt
        assert tokenizer.decode(list(held.token_ids)).removeprefix("<s>") == held.prompt.removeprefix("<s>")


def test_where_no_name_of_a_special_token_occurs_both_ways_to_tokenize_agree(tmp_path: Path) -> None:
    """The way for names, tried on a name that the template does not write: the rest of the prompt is the same."""
    workspace, folder = workspace_of(tmp_path, "chatml")
    tokenizer = load_tokenizer(folder)
    [plain], [held] = asked(workspace, at(1)), asked(workspace, at(1, answers=["Red,\nor blue.</s>"]))
    text = tokenizer("</s>", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    pairs = zip(plain.token_ids, held.token_ids, strict=False)
    shared = next(place for place, pair in enumerate(pairs) if len(set(pair)) > 1)
    assert list(held.token_ids[shared + len(text) :]) == list(plain.token_ids[shared:])


def test_a_question_of_one_message_keeps_its_prompt_key_and_seed(tmp_path: Path) -> None:
    workspace, _ = workspace_of(tmp_path, "chatml")
    one = Question(id="q", instruction=f"Say {FAMILIES['chatml'][1][0]}.", reference=None)
    [request] = asked(workspace, Conversation(one, (0,)))
    assert request.turn is None and request.conversation is None
    [again] = asked(workspace, at(0))
    assert again.seed == request.seed
    assert len({one.seed for one in asked(workspace, *(at(turn) for turn in range(3)))}) == 3


def test_keys_hold_history_and_earlier_answers(tmp_path: Path) -> None:
    workspace, _ = workspace_of(tmp_path, "llama")
    conversations = [at(0), at(0, WITH_HISTORY), at(1), at(1, WITH_HISTORY), at(1, answers=["Blue."]), at(2)]
    assert len({request.key for request in asked(workspace, *conversations)}) == len(conversations)


def test_alpaca_takes_one_turn_only_and_says_so(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    with pytest.raises(UserError, match="`prompt: alpaca` takes one turn only, and question q has several messages"):
        asked(workspace, at(0))


def test_an_earlier_thought_is_shown_to_templates_alone(tmp_path: Path) -> None:
    thought = Conversation(QUESTION, (0,), (earlier("Red.", "A colour: red."),))
    workspace, folder = workspace_of(tmp_path, "chatml")
    assert "A colour: red." not in asked(workspace, thought)[0].prompt
    shows = FAMILIES["chatml"][0].replace("message.content", "(message.reasoning_content or '') + message.content")
    (folder / "chat_template.jinja").write_text(shows)
    assert "A colour: red.Red." in asked(workspace, thought)[0].prompt
    served = make_workspace(tmp_path / "served", engine="endpoint", prompt="chat", base_url="http://localhost:9/v1")
    [request] = endpoint.renderer(served.job())([thought])
    assert [list(message) for message in request.messages] == [["role", "content"]] * 3
    assert [message["content"] for message in request.messages] == [TURNS[0], "Red.", TURNS[1]]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (Result(answer="Red.", finish_reason="stop"), ("", "Red.")),
        (Result(answer="Re", finish_reason="length"), ("", "Re")),
        (Result(answer="", finish_reason="stop"), ("", "")),
        (Result(answer="<think>Hm.</think>\nRed.", finish_reason="stop"), ("Hm.", "Red.")),
        (Result(answer="Red.", thinking="<think>Hm.</think>\n", finish_reason="stop"), ("Hm.", "Red.")),
        (Result(answer="Red.", thinking="Hm.", finish_reason="stop"), ("Hm.", "Red.")),
        (Result(answer="<think>Hm", finish_reason="length"), None),
        (Result(answer="", thinking="<think>Hm", finish_reason="error", error="it thought"), None),
        (Result(answer="", finish_reason="error", error="over-long"), None),
    ],
)
def test_what_later_turns_are_told_of_an_answer(result: Result, told: tuple[str, str] | None) -> None:
    assert told_later(result, "prompt") == told
