-- arg: token. Extends the lease of a live claim. A script, since a plain ZADD is refused where Redis is full.
redis.call('ZADD', claims, 'XX', stamp(now + lease), member(arg(1)))
return reply()
