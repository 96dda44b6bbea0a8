"""The documentation of each problem type, at the address that problem documents carry."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from kernel.domain.errors import NotFound
from kernel.web.problems import PROBLEMS, slug

router = APIRouter(include_in_schema=False)


@router.get("/problems")
async def problems() -> Response:
    return JSONResponse(
        {
            "items": [
                {
                    "type": f"/problems/{slug(code)}",
                    "code": code,
                    "status": known.status,
                    "title": known.title,
                }
                for code, known in sorted(PROBLEMS.items())
            ]
        }
    )


@router.get("/problems/{name}")
async def problem_page(name: str) -> Response:
    code = name.upper().replace("-", "_")
    known = PROBLEMS.get(code)
    if known is None:
        raise NotFound("There is no such problem type.")
    return JSONResponse(
        {
            "type": f"/problems/{name}",
            "code": code,
            "status": known.status,
            "title": known.title,
            "meaning": known.meaning,
        }
    )
