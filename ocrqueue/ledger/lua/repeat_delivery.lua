-- Sends a delivery again, from the first try on; one that is being sent stays as it is.
-- arg: name of the delivery.
local value = redis.call('HGET', job_deliveries, arg(1))
if not value then return reply({known = false}) end
local delivery, member = cjson.decode(value), due_member(arg(1))
if delivery.token and tonumber(redis.call('ZSCORE', due, member) or 0) > now then return reply({known = true}) end
local again = {event = delivery.event, created = delivery.created, data = delivery.data, state = 'pending', tries = 0}
redis.call('HSET', job_deliveries, arg(1), cjson.encode(again))
redis.call('ZADD', due, stamp(now), member)
redis.call('HDEL', job, 'webhook_gone')
send('deliver')
return reply({known = true})
