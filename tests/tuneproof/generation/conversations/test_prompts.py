import doctest

from tuneproof.generation.conversations import prompts
from tuneproof.generation.conversations.prompts import alpaca_prompt, chat_messages


def test_the_example_in_the_documentation_holds() -> None:
    assert doctest.testmod(prompts).failed == 0


def test_the_alpaca_format_is_the_one_that_models_were_trained_on() -> None:
    assert alpaca_prompt("Why?") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nWhy?\n\n### Response:\n"
    )


def test_a_system_prompt_stands_before_the_alpaca_format_and_leaves_it_whole() -> None:
    assert alpaca_prompt("Why?", "Be brief.") == "Be brief.\n\n" + alpaca_prompt("Why?")


def test_an_instruction_is_shown_as_it_is() -> None:
    instruction = "  {name} %s\n### Response:\n{{ x }} "
    assert instruction in alpaca_prompt(instruction)
    assert chat_messages(instruction) == [{"role": "user", "content": instruction}]


def test_a_system_prompt_is_the_first_message_of_a_chat_and_an_empty_one_is_none() -> None:
    assert [message["role"] for message in chat_messages("Why?", "Be brief.")] == ["system", "user"]
    assert chat_messages("Why?", "") == chat_messages("Why?")
