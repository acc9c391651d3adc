"""Put an export on the Hugging Face hub as it was written and verified; tokens are the hub library's."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from fgkd.errors import UserError
from fgkd.export.deployed import Deployed


def check_repository(name: str) -> None:
    """UserError where `name` is no ``OWNER/NAME``."""
    try:
        validate_repo_id(name)
        if name.count("/") != 1:
            raise HFValidationError("it has no owner")
    except HFValidationError as error:
        raise UserError(f"--push {name}: expected OWNER/NAME of a repository on the hub ({error})") from None


def push(folder: Path, deployed: Deployed, repository: str, *, private: bool = False) -> str:
    """Upload an exported folder, which timm loads from the hub as from disk; returns the page's address.

    Raises:
        UserError: the hub refuses, for lack of a token for example, or is out of reach.
    """
    check_repository(repository)
    api = HfApi()
    try:
        page = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=page.repo_id, folder_path=folder, commit_message=f"Add {deployed.record.run_id}")
    except Exception as error:  # whatever the HTTP library raises
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"--push {repository}: the hub refused or cannot be reached ({told}); log in with `hf auth login`, or push "
            f"the folder later: hf upload {repository} {folder}"
        ) from None
    return str(page)
