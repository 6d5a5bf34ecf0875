-- Cancels a job: its open pages are not read. A claimed page that is still finished counts as ok.
-- If every page is finished, nothing changes.
local state = get('state')
if has_ended() or (state == 'running' and finished()) then return reply({cancelled = false}) end
set('cancel', 1)
if state == 'running' then
  add('cancelled', num('top') - num('cursor'))
  set('top', num('cursor'))
  if num('reopened') > 0 and not reads_again() then
    local all = redis.call('HGETALL', pages)
    for k = 1, #all, 2 do
      local lost = all[k + 1]:match('^o(%d+)a?$')
      if lost then
        redis.call('HSET', pages, all[k], 'x' .. lost)
        add('cancelled', 1)
      end
    end
    set('reopened', 0)
  end
  keep_all()
  assemble_if_finished()
else
  set('wait:document', 2 * FIRST_WAIT) -- the first message may wait still
  send_document()
end
settle()
return reply({cancelled = true})
