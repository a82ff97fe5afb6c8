"""Photos and fields of a multipart form, read within the limits and kept in memory: no photo goes to a disk."""

from typing import Any, NamedTuple, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from handnet.serving.api.limits import Limits
from handnet.serving.api.problems import Problem, to_errors

PHOTOS = "photos"
_MAX_FIELDS = 20
_MAX_FIELD_BYTES = 10_000

Fields = TypeVar("Fields", bound=BaseModel)


class Upload(NamedTuple):
    """A photo of a form.

    Attributes:
        title: what to call it: the name of its file, made short and printable.
        contents: bytes of the file.
    """

    title: str
    contents: bytes


def describe_form(fields: type[BaseModel], num_photos: str = "one or more") -> dict[str, Any]:
    """Return what OpenAPI says of a form.

    Args:
        fields: other than the photos.
        num_photos: in words.
    """
    schema = fields.model_json_schema()
    photo = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    schema["properties"] = {
        PHOTOS: {"type": "array", "items": photo, "minItems": 1, "description": f"Photos, {num_photos}."},
        **schema["properties"],
    }
    schema["required"] = [PHOTOS, *schema.get("required", [])]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


async def read_form(request: Request, fields: type[Fields], limits: Limits) -> tuple[Fields, list[Upload]]:
    """Read a form.

    Args:
        request: of any content.
        fields: other than the photos.
        limits: of the server.

    Raises:
        Problem: 400 malformed, 413 too large, 415 no form, 422 fields that are missing, unknown or out of range.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise Problem(415, "Send the photos as multipart/form-data, e.g. curl --form photos=@hand.jpg.")
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=limits.max_photos,
        max_fields=_MAX_FIELDS,
        max_part_size=_MAX_FIELD_BYTES,
    )
    parser.spool_max_size = limits.max_body_bytes + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        too_many = error.message.startswith(("Too many", "Part exceeded"))
        raise Problem(413 if too_many else 400, f"The form cannot be read: {error.message}") from None
    except (ValueError, KeyError):
        raise Problem(400, "The form cannot be read: malformed multipart/form-data.") from None
    values: dict[str, str] = {}
    uploads: list[Upload] = []
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name != PHOTOS:
                    raise _refuse(name, f"only `{PHOTOS}` takes files")
                contents = await value.read()
                limits.check_photo(contents, len(uploads) + 1)
                uploads.append(Upload(_title(value.filename or "", len(uploads) + 1), contents))
            elif name == PHOTOS:
                raise _refuse(name, "expected a file")
            elif name in values:
                raise _refuse(name, "given twice")
            else:
                values[name] = value
    finally:
        await form.close()
    if not uploads:
        raise _refuse(PHOTOS, "at least one photo is needed")
    try:
        return fields.model_validate(values), uploads
    except ValidationError as error:
        found = to_errors([dict(row) for row in error.errors(include_url=False, include_input=False)])
        raise Problem(422, "Some fields are missing, unknown or out of range.", errors=found) from None


def _refuse(name: str, message: str) -> Problem:
    at = "".join(c if c.isprintable() else "?" for c in name[:60])
    return Problem(422, "Some fields are missing, unknown or out of range.", errors=[{"at": at, "message": message}])


def _title(filename: str, number: int) -> str:
    """Return what to call a photo: a client's file name without folders, or its number."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:80] or f"photo {number}"
