from tests.own_settings import own_params


def test_other_words_are_other_instructions() -> None:
    params = own_params()
    other_guidelines = params.people.model_copy(update={"guidelines": "Be strict."})
    other_draw = params.people.model_copy(update={"seed": 1, "sample": 10, "raters": 3})
    one_criterion = params.judge.model_copy(update={"criteria": {"style": params.judge.criteria["style"]}})
    assert params.model_copy(update={"people": other_draw}).instructions == params.instructions
    assert params.model_copy(update={"people": other_guidelines}).instructions != params.instructions
    assert params.model_copy(update={"judge": one_criterion}).instructions != params.instructions
