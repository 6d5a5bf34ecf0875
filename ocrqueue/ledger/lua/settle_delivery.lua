-- Records the outcome of a try, if its claim is still the last one.
-- arg: name of the delivery, token of the claim, state of the delivery from now on, time of the next try ('': none),
-- HTTP status ('': no answer), error ('': none).
local value = redis.call('HGET', job_deliveries, arg(1))
local delivery = value and cjson.decode(value)
if not delivery or delivery.token ~= arg(2) then return reply({stale = true}) end
delivery.token, delivery.state, delivery.next = nil, arg(3), tonumber(arg(4))
delivery.status, delivery.error = tonumber(arg(5)), arg(6) ~= '' and arg(6) or nil
redis.call('HINCRBY', figures, 'event webhook ' .. (arg(4) ~= '' and 'retried' or arg(3)), 1)
if arg(4) ~= '' then
  redis.call('ZADD', due, arg(4), due_member(arg(1)))
else
  delivery.ended = stamp(now)
  redis.call('ZREM', due, due_member(arg(1)))
end
if arg(3) == 'gone' then set('webhook_gone', 1) end
redis.call('HSET', job_deliveries, arg(1), cjson.encode(delivery))
return reply()
