-- Keeps the first readings of the pages that nobody has begun to read again, if the time for that is over.
if get('state') == 'running' and finished() then -- asked again, because the answer was lost
  send_again()
elseif is_too_late() then
  assemble_if_finished()
  settle()
  tell({pages = {}})
end
return reply()
