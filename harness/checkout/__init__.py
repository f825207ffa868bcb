"""Where kernel source comes from: trees and the series on top of them."""
