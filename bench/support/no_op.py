"""A Celery application with a task that does nothing, to see what Celery costs. BENCH_BROKER: the address of Redis."""

import os

from celery import Celery

app = Celery("no_op", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(worker_send_task_events=True, task_send_sent_event=True, worker_prefetch_multiplier=1)


@app.task(name="no_op", ignore_result=True)  # type: ignore[untyped-decorator]
def no_op() -> None:
    """Does nothing."""
