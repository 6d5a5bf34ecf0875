-- Claims a delivery for one try. Asked again with the same token, the script returns the same claim.
-- arg: name of the delivery, token, seconds that the claim lasts.
local member, value = due_member(arg(1)), redis.call('HGET', job_deliveries, arg(1))
if not value then
  redis.call('ZREM', due, member)
  return reply({claimed = false})
end
local delivery, until_ = cjson.decode(value), tonumber(redis.call('ZSCORE', due, member))
if delivery.token ~= arg(2) then
  if not until_ or until_ > now then return reply({claimed = false}) end
  delivery.token, delivery.tries = arg(2), delivery.tries + 1
  redis.call('HSET', job_deliveries, arg(1), cjson.encode(delivery))
  redis.call('ZADD', due, stamp(now + tonumber(arg(3))), member)
end
return reply({claimed = true, delivery = cjson.encode(delivery), gone = get('webhook_gone') ~= false})
