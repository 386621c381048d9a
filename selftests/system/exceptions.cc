// SPDX-License-Identifier: MIT
// What zlib.sh has arm64 g++ compile: exceptions through frames with destructors, in threads, and one that nobody catches.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int destroyed;

struct Frame {
	int depth;
	~Frame() { destroyed += depth; }
};

static int dive(int depth)
{
	Frame frame{depth};

	if (!depth)
		throw std::runtime_error("deep");
	return dive(depth - 1) + 1;
}

static long many()
{
	long sum = 0;

	for (int i = 0; i < 20000; i++) {
		try {
			if (i % 2)
				throw i;
			throw std::string("x");
		} catch (int n) {
			sum += n;
		} catch (const std::string &s) {
			sum += s.size();
		}
	}
	return sum;
}

int main()
{
	std::exception_ptr passed;

	try {
		dive(4);
	} catch (const std::exception &e) {
		std::cout << e.what() << " " << destroyed << std::endl;
	}
	std::cout << "caught " << many() << std::endl;

	std::thread thread([&] {
		try {
			throw std::logic_error("logic");
		} catch (...) {
			passed = std::current_exception();
		}
	});
	thread.join();
	try {
		std::rethrow_exception(passed);
	} catch (const std::logic_error &e) {
		std::cout << "thread: " << e.what() << std::endl;
	}
	try {
		std::vector<int>().at(3);
	} catch (const std::out_of_range &) {
		std::cout << "range" << std::endl;
	}
	std::set_terminate([] {
		std::cout << "terminate" << std::endl;
		std::abort();
	});
	throw 5;
}
