"""The envelope of AMIS Công việc."""

from reconciler.sandbox.calls import Answer, json_answer
from reconciler.sandbox.company import Row


def success(data: Row, *, last: bool = True) -> Answer:
    """A call that worked; `last` says that no page follows."""
    return json_answer(
        200,
        {
            "Success": True,
            "Code": 200,
            "SubCode": 0,
            "UserMessage": None,
            "SystemMessage": None,
            "Data": data,
            "GetLastData": last,
        },
    )


def error(status: int, code: str, message: str, *, http: int | None = None) -> Answer:
    """A call that did not work, with the same HTTP status unless said otherwise."""
    return json_answer(
        http or status,
        {
            "Success": False,
            "Code": status,
            "SubCode": 1,
            "ErrorCode": code,
            "UserMessage": message,
            "SystemMessage": message,
            "Data": None,
        },
    )
