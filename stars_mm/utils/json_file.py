import json
from pathlib import Path
from typing import Any

from stars_mm.utils.input_error import InputError, reading


def read_json(path: str | Path, kind: type = dict, remedy: str = '') -> Any:
    """What a file of JSON holds.

    Args:
        path (str or Path): The file.
        kind (type): Of what it has to hold.
        remedy (str): What to do where it does not, for the message.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is no JSON, or of something else.
    """
    with reading(path, remedy):
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    if not isinstance(content, kind):
        problem = f'holds a {type(content).__name__}, and a {kind.__name__} is needed'
        raise InputError(path, problem, remedy)
    return content
