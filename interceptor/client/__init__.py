"""Asking from a switch: one question per call setup, an answer within its deadline whatever becomes of the service.

>>> from interceptor.client import Screening, Verdict
>>> screening = Screening("127.0.0.1:50051")
>>> answer = screening.decide(call_id="a84b4c76e66710", caller="+8613800138000", callee="10086")
>>> if answer.verdict is Verdict.BLOCK: refuse(answer.sip_code, answer.sip_reason)

It loads grpc and the generated messages, nothing else of this package.
"""

from interceptor.client.answer import Answer, BlockClass, Cause, Verdict
from interceptor.client.asynchronous import AsyncScreening
from interceptor.client.channel import Tls
from interceptor.client.screening import Screening
from interceptor.pb.v1.interception_pb2 import (
    DecideRequest,
    ReportCallRequest,
    ReportSubscriptionRequest,
)

__all__ = [
    "Answer",
    "AsyncScreening",
    "BlockClass",
    "Cause",
    "DecideRequest",
    "ReportCallRequest",
    "ReportSubscriptionRequest",
    "Screening",
    "Tls",
    "Verdict",
]
