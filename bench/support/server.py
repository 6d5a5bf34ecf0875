"""What a Redis server has done so far."""

from redis import Redis


def cpu(redis: "Redis") -> float:
    """Processor seconds of the server's main thread."""
    info = redis.info("cpu")
    return float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])


def commands(redis: "Redis") -> int:
    """The commands that it has run, those in scripts included."""
    return sum(int(row["calls"]) for row in redis.info("commandstats").values())
