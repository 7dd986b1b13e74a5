import pytest

from tests.conftest import ROOT
from tuneproof.common.errors import UserError
from tuneproof.generation.sagemaker import connection as sagemaker_connection
from tuneproof.settings.execution import SageMaker


@pytest.mark.parametrize(("module", "package"), [("sagemaker.core", "sagemaker-core"), ("boto3", "boto3")])
def test_without_its_packages_the_error_names_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setattr(sagemaker_connection, "is_installed", lambda name: name != module)
    with pytest.raises(UserError, match=f"the package {package} is not installed; install it with") as stopped:
        sagemaker_connection.connect(SageMaker())
    assert "pip install -r requirements/sagemaker.txt" in str(stopped.value)


def test_the_base_installs_nothing_of_sagemaker() -> None:
    assert "sagemaker" not in (ROOT / "requirements" / "base.txt").read_text(encoding="utf-8")
    assert not sagemaker_connection.is_installed("no_such_package.core")
