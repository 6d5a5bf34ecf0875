-- Extends the lease of a live claim. A script, because Redis at its memory limit refuses a plain ZADD.
-- arg: token.
redis.call('ZADD', claims, 'XX', stamp(now + lease), member(arg(1)))
return reply()
