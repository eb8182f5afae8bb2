"""Which batch a plan collects into: the open transaction's, or one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapyer_cli.language.grammar import Invocation
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.batch.batch import Batch


def batch_for(session: Session, invocation: Invocation) -> Batch:
    """The batch for the plan of this line. A dry run never joins the open transaction."""
    from rapyer.batch.batch import Batch

    if session.transaction is not None and not invocation.flag("dry_run"):
        return session.transaction.batch
    return Batch()
