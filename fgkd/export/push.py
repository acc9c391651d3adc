"""Put an export on the Hugging Face hub, by timm's own call where timm can load it; tokens are the hub library's."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from timm.models import push_to_hf_hub

from fgkd.errors import UserError
from fgkd.export.deployed import Deployed
from fgkd.export.student import WEIGHTS
from fgkd.export.writing import timm_description


def check_repository(name: str) -> None:
    """UserError where `name` is no ``OWNER/NAME``."""
    try:
        validate_repo_id(name)
        if name.count("/") != 1:
            raise HFValidationError("it has no owner")
    except HFValidationError as error:
        raise UserError(f"--push {name}: expected OWNER/NAME of a repository on the hub ({error})") from None


def push(folder: Path, deployed: Deployed, repository: str, *, private: bool = False) -> str:
    """Upload an exported folder; returns the page's address.

    The card goes first: timm writes one of its own only where there is none.

    Raises:
        UserError: the hub refuses, for lack of a token for example.
    """
    check_repository(repository)
    api = HfApi()
    message = f"Add {deployed.record.run_id}"
    by_timm = ["config.json", WEIGHTS["timm"]] if deployed.plain is not None else None
    try:
        page = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=page.repo_id, folder_path=folder, ignore_patterns=by_timm, commit_message=f"{message}: card"
        )
        if deployed.plain is not None:
            push_to_hf_hub(
                deployed.plain,
                page.repo_id,
                commit_message=message,
                private=private,
                safe_serialization=True,  # by default a pickle would go with it
                **timm_description(deployed),
            )
    except (HfHubHTTPError, OSError) as error:
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"--push {repository}: the hub refused or cannot be reached ({told}); log in with `hf auth login`, or push "
            f"the folder later: hf upload {repository} {folder}"
        ) from None
    return str(page)
