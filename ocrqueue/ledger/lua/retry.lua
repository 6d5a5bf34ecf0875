-- Begins a new round: failed and cancelled pages are open again, pages that were read stay. If the document was never
-- opened, it is opened. The result of the round before is removed in the same step.
-- arg: the round that the caller has seen.
local state, seen = get('state'), tonumber(arg(1))
if not has_ended() and num('round') == seen + 1 then -- asked again, because the answer was lost
  send_again()
  return reply({retried = true})
end
if not has_ended() or state == 'done' or num('round') ~= seen then return reply({retried = false, state = state}) end
redis.call('HDEL', job, 'cancel', 'code', 'message', 'error', 'ended', 'sent:assemble', 'wait:assemble',
  'lost:assemble', 'lost:document', 'no_worker')
redis.call('ZREM', unpublished, id)
redis.call('DEL', result)
redis.call('ZREM', dead, member(0))
redis.call('ZADD', open_jobs, get('created'), id)
add('round', 1)
if num('n') == 0 then
  set('state', 'queued', 'wait:document', FIRST_WAIT)
  send_document()
  settle()
  return reply({retried = true})
end
set('state', 'running')
local all = redis.call('HGETALL', pages)
for k = 1, #all, 2 do
  local letter = all[k + 1]:sub(1, 1)
  if letter == 'f' or letter == 'x' then
    redis.call('HSET', pages, all[k], 'o0')
    add('reopened', 1)
    add(letter == 'f' and 'failed' or 'cancelled', -1)
    redis.call('ZREM', dead, member(all[k]))
  end
end
add('cancelled', num('top') - num('n'))
set('top', num('n'))
local lanes = math.max(lanes_made(), math.min(lanes_wanted(), open_count()))
for i = 0, lanes - 1 do
  if not lane_get(i) then lane_put(i, {serial = -1, sent = now, wait = FIRST_WAIT, token = '-'}) end
  next_ticket(i)
end
set('lanes', lanes)
assemble_if_finished()
settle()
return reply({retried = true})
