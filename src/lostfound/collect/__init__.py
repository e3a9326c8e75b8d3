"""Getting images from outside: official street-imagery APIs, politely, into a data set."""
