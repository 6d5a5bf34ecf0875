-- Claims the next open pages for a ticket.
-- arg: lane, serial, token, largest number of pages, number of live children that share the open pages, "1" if the
-- caller's worker reads nothing else meanwhile. A page with one attempt left is claimed only then, so that no other
-- page can be the reason why the worker dies. If the time for a second reading is over, nothing changes: see `keep`.
local i, serial, token = tonumber(arg(1)), tonumber(arg(2)), arg(3)
local batch, children, alone_there = tonumber(arg(4)), tonumber(arg(5)), arg(6) == '1'
local lane = lane_get(i)
local held = get('claim:' .. token)
if held then -- asked again, because the answer was lost: return the same claim, or nobody would read its pages
  local numbers, lost = {}, {}
  for n in (held:match('^page %d+ (.*)$') or ''):gmatch('%d+') do
    numbers[#numbers + 1], lost[#lost + 1] = tonumber(n), claimed(n)
  end
  return reply({pages = numbers, lost = lost})
end
local current = lane and lane.serial == serial and lane.token == '-'
if get('state') ~= 'running' or not current then return reply({pages = {}}) end
if is_too_late() then return reply({pages = {}, late = true}) end

local share = math.ceil(open_count() / math.max(1, children))
batch = math.max(1, math.min(batch, share))
local got, lost_of, full = {}, {}, false

local function take(n, lost, flag)
  redis.call('HSET', pages, n, 'c' .. lost .. flag)
  got[#got + 1], lost_of[#lost_of + 1] = n, tonumber(lost)
  full = #got >= batch
end

if num('reopened') > 0 then
  for _, page in ipairs(pages_like('^o', reads_again())) do
    local lost, flag = page[2]:match('^o(%d+)(a?)$')
    local alone = lost ~= '0' or flag == 'a'
    if full or (alone and #got > 0) then
      full = true
      break
    end
    if last_try(tonumber(lost)) and not alone_there then return reply({pages = {}, last = true}) end
    add('reopened', -1)
    take(page[1], lost, flag)
    if alone then full = true end
  end
end
local again = #got
while not full and num('cursor') < num('top') do
  take(add('cursor', 1), 0, '')
end
if #got > again then -- the first claim of a page ends its wait
  local since = tonumber(redis.call('ZSCORE', waiting, id) or get('created'))
  observe('wait ' .. (get('engine') or 'unknown') .. ' ' .. num('priority'), WAIT_BOUNDS, math.max(0, now - since),
    #got - again)
end

if #got > 0 then
  note_taken(get('queue') or '', lane.sent, lane.wait)
  if lanes_made() == 1 then forget_sent(get('queue') or '') end
  lane.token = token
  lane_put(i, lane)
  hold(token, 'page ' .. i .. ' ' .. table.concat(got, ','))
end
return reply({pages = got, lost = lost_of})
