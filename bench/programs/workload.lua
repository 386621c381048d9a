-- SPDX-License-Identifier: MIT
-- prog:lua: tables, strings, closures, recursion, floats in one run of some 0.2 s; prints what it computed.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local function words(n)
	local parts, seed = {}, 42
	for i = 1, n do
		seed = (seed * 1103515245 + 12345) % 2147483648
		parts[i] = string.format("w%d", seed % 997)
	end
	local counts = {}
	for word in table.concat(parts, " "):gmatch("%S+") do
		counts[word] = (counts[word] or 0) + 1
	end
	local keys = {}
	for k in pairs(counts) do keys[#keys + 1] = k end
	table.sort(keys, function(a, b)
		if counts[a] ~= counts[b] then return counts[a] > counts[b] end
		return a < b
	end)
	return keys[1], counts[keys[1]], #keys
end

local function sieve(n)
	local composite, count = {}, 0
	for i = 2, n do
		if not composite[i] then
			count = count + 1
			for j = i * i, n, i do composite[j] = true end
		end
	end
	return count
end

local function floats(n)
	local x, total = 0.5, 0.0
	for i = 1, n do
		x = 3.7 * x * (1 - x)
		total = total + (x > 0.5 and 1 or 0) + i % 3
	end
	return string.format("%.0f", total / 1000)
end

print(fib(29))
print(words(100000))
print(sieve(600000))
print(floats(2000000))
