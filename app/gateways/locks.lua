-- The locks, for Redis 6.2 and 7: one server, no cluster, as the keys follow from the names.
--
-- lock:held:NAME   a hash with a lifetime: owner, job, attempt, place, note. Without an owner it
--                  was handed to the job, which has not taken it yet.
-- lock:line:NAME   the ids of the jobs that wait for it, scored by place: the lowest goes first.
-- lock:ticket:JOB  a hash with a lifetime: names, attempt, place, note of a job in line. A job whose
--                  ticket has ended is dead; it leaves a line at the latest at the head of it.
--
-- ARGV: what to do, as at the end of this file, and what for.

local function held(name) return 'lock:held:' .. name end
local function line(name) return 'lock:line:' .. name end
local function ticket(job) return 'lock:ticket:' .. job end

local function names_from(first)
  local names = {}
  for i = first, #ARGV do names[#names + 1] = ARGV[i] end
  return names
end

-- The first in line that lives, with its place.
local function head(name)
  while true do
    local found = redis.call('ZRANGE', line(name), 0, 0, 'WITHSCORES')
    if not found[1] then return nil end
    if redis.call('EXISTS', ticket(found[1])) == 1 then return found[1], tonumber(found[2]) end
    redis.call('ZREM', line(name), found[1])
  end
end

-- Out of every line; the names it stood for.
local function step_out(job)
  local found = redis.call('HGET', ticket(job), 'names')
  local names = found and cjson.decode(found) or {}
  for _, name in ipairs(names) do redis.call('ZREM', line(name), job) end
  redis.call('DEL', ticket(job))
  return names
end

local function hold(name, owner, job, attempt, place, note, lifetime)
  redis.call('DEL', held(name))
  redis.call('HSET', held(name), 'owner', owner, 'job', job, 'attempt', attempt,
             'place', place, 'note', note)
  redis.call('PEXPIRE', held(name), lifetime)
end

-- The job that waits for the name and has its turn there and at all its other names.
local function next_for(name)
  local job = head(name)
  if not job then return nil end
  for _, other in ipairs(cjson.decode(redis.call('HGET', ticket(job), 'names'))) do
    local has = redis.call('HMGET', held(other), 'job', 'owner')
    if head(other) ~= job or (has[1] and not (has[1] == job and has[2] == '')) then return nil end
  end
  return job
end

-- Free locks go to those whose turn it is; with `self` only to that job and to
-- ones of an earlier place. Returns their jobs and attempts, one after the other.
local function hand_over(names, grace, self, place)
  local told = {}
  for _, name in ipairs(names) do
    local job = next_for(name)
    if job and (not self or job == self or select(2, head(name)) < place) then
      local has = redis.call('HMGET', ticket(job), 'attempt', 'place', 'note')
      for _, own in ipairs(step_out(job)) do hold(own, '', job, has[1], has[2], has[3], grace) end
      told[#told + 1] = job
      told[#told + 1] = has[1]
    end
  end
  return told
end

-- Who is in the way of the job at the name: its note, and 'held', 'waits' or 'self'.
local function rival(name, owner, job, attempt, place)
  local has = redis.call('HMGET', held(name), 'job', 'owner', 'attempt', 'place', 'note')
  if has[1] == job then
    local is_left = has[2] == '' or has[2] == owner or tonumber(has[3]) < attempt
    if is_left then return nil end
    return has[5], 'self'
  end
  -- What was handed to somebody and is not taken yet goes to one whose turn is earlier.
  if has[1] and not (has[2] == '' and place < tonumber(has[4])) then return has[5], 'held' end
  local first, at = head(name)
  if first and first ~= job and (at < place or (at == place and first < job)) then
    return redis.call('HGET', ticket(first), 'note'), 'waits'
  end
  return nil
end

-- Into the line of each name, again after each try; the last of its places there, from 1. A try
-- of an older attempt may come late: who is called then is the newest.
local function stand(names, job, attempt, place, note, stay)
  attempt = math.max(attempt, tonumber(redis.call('HGET', ticket(job), 'attempt') or 0))
  step_out(job)
  redis.call('HSET', ticket(job), 'names', cjson.encode(names), 'attempt', attempt,
             'place', place, 'note', note)
  redis.call('PEXPIRE', ticket(job), stay)
  local position = 0
  for _, name in ipairs(names) do
    redis.call('ZADD', line(name), place, job)
    redis.call('PEXPIRE', line(name), stay)
    -- The dead are not counted; far behind it does not matter.
    for _, ahead in ipairs(redis.call('ZRANGE', line(name), 0, 63)) do
      if ahead == job then break end
      if redis.call('EXISTS', ticket(ahead)) == 0 then redis.call('ZREM', line(name), ahead) end
    end
    position = math.max(position, redis.call('ZRANK', line(name), job) + 1)
  end
  return position
end

local what = {}

-- ARGV: lifetime of a lock and of a ticket (ms), owner, job, attempt, place, note, the names.
-- Returns 0 when all are held now; or who is in the way, the place in line, and how that one is.
function what.acquire()
  local owner, job, attempt, place = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
  local names, found, how = names_from(9), nil, nil
  for _, name in ipairs(names) do
    local other, as = rival(name, owner, job, attempt, place)
    if other and (not found or as == 'self') then found, how = other, as end
  end
  if found then
    return { found, stand(names, job, attempt, ARGV[7], ARGV[8], ARGV[3]), how }
  end
  step_out(job)
  for _, name in ipairs(names) do hold(name, owner, job, attempt, ARGV[7], ARGV[8], ARGV[2]) end
  return 0
end

-- ARGV: lifetime (ms), owner, note or nothing, the names. Returns 0 when one is not the owner's.
function what.renew()
  local names = names_from(5)
  for _, name in ipairs(names) do
    if redis.call('HGET', held(name), 'owner') ~= ARGV[3] then return 0 end
  end
  for _, name in ipairs(names) do
    redis.call('PEXPIRE', held(name), ARGV[2])
    if ARGV[4] ~= '' then redis.call('HSET', held(name), 'note', ARGV[4]) end
  end
  return 1
end

-- ARGV: milliseconds in which what is handed over must be taken, owner, how, the names. `end`: the
-- job is done with them. `again`: it was not its turn, so it is not that of a later one either; if
-- it was asked for meanwhile it still stands in line. `undo`: nobody will hear of a hand-over, so
-- there is none.
function what.release()
  local freed, job, place = {}, nil, nil
  for _, name in ipairs(names_from(5)) do
    local has = redis.call('HMGET', held(name), 'owner', 'job', 'place')
    if has[1] == ARGV[3] then
      redis.call('DEL', held(name))
      freed[#freed + 1], job, place = name, has[2], tonumber(has[3])
    end
  end
  if ARGV[4] == 'undo' then return {} end
  if ARGV[4] == 'again' then return hand_over(freed, ARGV[2], job, place) end
  if job then step_out(job) end
  return hand_over(freed, ARGV[2])
end

-- ARGV: milliseconds as above, job, the names. Out of the line, also with what was handed to it.
function what.leave()
  local job = ARGV[3]
  local names = step_out(job)
  for _, name in ipairs(names_from(4)) do
    local has = redis.call('HMGET', held(name), 'job', 'owner')
    if has[1] == job and has[2] == '' then redis.call('DEL', held(name)) end
    names[#names + 1] = name
  end
  return hand_over(names, ARGV[2])
end

return what[ARGV[1]]()
