-- Publishes the end of a round, if the job is still in this round: stores Celery's result, wakes whoever waits for it,
-- stores the delivery of the webhook, sends the messages that follow from the end, and publishes the event. If the end
-- has been published, nothing changes.
-- arg: round, Celery's result, seconds for which it is kept, type and data of the webhook's event, JSON with code and
-- message if no page could be read, else nothing; then list, message, ... of messages as kombu stores them.
local round = tonumber(arg(1))
if not has_ended() or num('round') ~= round then return reply({stale = true}) end
if num('published') == round then return reply({published = false}) end
redis.call('SET', result, arg(2), 'EX', arg(3))
redis.call('PUBLISH', result, arg(2))
for i = 7, #ARGV - 4, 2 do redis.call('LPUSH', arg(i), arg(i + 1)) end
set('published', round)
if arg(6) ~= '' then set('error', arg(6)) end
deliver(arg(1), arg(4), arg(5))
tell({state = get('state')})
return reply({published = true})
