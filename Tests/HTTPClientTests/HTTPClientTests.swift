import HTTPClient
import Testing
